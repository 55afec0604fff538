"""Figures from traces: regret as a share of what random search leaves at the same budget, with intervals; curves as SVG."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.figures import table
from benchmarks.optimizer.results import Trace

Traces = Mapping[str, Mapping[str, Sequence[Trace]]]
"""Peer -> problem -> one trace for each seed."""
COLOURS = ("#9ca3af", "#2563eb", "#d97706", "#059669", "#7c3aed", "#db2777")
HEAD, LEFT = 30, 46
SMALLEST = 1e-5
"""Regret below this share of the largest one is drawn as this."""
RESAMPLES = 1000
WORST = 3.0


def shares(traces: Traces, problem: str, peer: str, at: int) -> np.ndarray:
    """For each seed the regret after `at` observations over the median one of random search; nothing found at all counts as 3."""
    random = np.array([trace.best[at - 1] for trace in traces["random"][problem]])
    scale = max(float(np.median(np.where(np.isfinite(random), random, np.nanmax(random[np.isfinite(random)], initial=1.0)))), 1e-12)
    return np.minimum(np.array([trace.best[at - 1] for trace in traces[peer][problem]]) / scale, WORST)


def score(traces: Traces, peer: str, at: int) -> tuple[float, float, float]:
    """The mean over problems of the median share, and its 95 % interval over resampled seeds."""
    every = [shares(traces, problem, peer, at) for problem in traces[peer]]
    rng = np.random.default_rng(0)
    means = [np.mean([np.median(rng.choice(one, len(one))) for one in every]) for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.mean([np.median(one) for one in every])), float(low), float(high)


def summary(traces: Traces, budgets: Sequence[int]) -> str:
    """One row for each peer."""
    rows = []
    for peer in traces:
        cells = ["{:.2f} ({:.2f} to {:.2f})".format(*score(traces, peer, at)) for at in budgets]
        cpu = np.mean([trace.cpu for every in traces[peer].values() for trace in every])
        seeds = min(len(every) for every in traces[peer].values())
        rows.append([peer, seeds, *cells, *(f"{_rank(traces, peer, at):.1f}" for at in budgets), f"{1000 * cpu:.0f}"])
    return table(["", "seeds", *(f"regret at {at}" for at in budgets), *(f"rank at {at}" for at in budgets), "CPU ms per suggestion"], rows)


def by_problem(traces: Traces, budgets: Sequence[int]) -> str:
    """One row for each problem: medians of the share by peer and budget."""
    peers = [peer for peer in traces if peer != "random"]
    rows = [
        [problem, *(f"{np.median(shares(traces, problem, peer, at)):.2f}" if problem in traces[peer] else "" for at in budgets for peer in peers)]
        for problem in traces["random"]
    ]
    return table(["", *(f"{peer} at {at}" for at in budgets for peer in peers)], rows)


def _rank(traces: Traces, peer: str, at: int) -> float:
    """The mean over problems of the peer's place by median."""
    places = []
    for problem in traces[peer]:
        medians = {other: float(np.median(shares(traces, problem, other, at))) for other in traces if problem in traces[other]}
        places.append(
            1 + sum(value < medians[peer] for value in medians.values()) + 0.5 * (sum(value == medians[peer] for value in medians.values()) - 1)
        )
    return float(np.mean(places))


def curves(traces: Traces, across: int = 4, size: tuple[int, int] = (260, 170)) -> str:
    """An SVG with one small chart for each problem: median regret over observations, logarithmic, with quartiles."""
    problems = list(traces["random"])
    width, height = size
    total = (across * width, (-(-len(problems) // across)) * height + HEAD)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total[0]} {total[1]}" font-family="sans-serif" font-size="11">']
    parts.append(f'<rect width="{total[0]}" height="{total[1]}" fill="white"/>')
    for index, (peer, colour) in enumerate(zip(traces, COLOURS, strict=False)):
        x = LEFT + 110 * index
        parts.append(f'<line x1="{x}" y1="12" x2="{x + 18}" y2="12" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{x + 24}" y="16" font-size="13">{peer}</text>')
    parts.append(f'<text x="{total[0] - 8}" y="16" text-anchor="end" fill="#6b7280">regret (median, quartiles) over observations</text>')
    for index, problem in enumerate(problems):
        parts.append(f'<g transform="translate({index % across * width},{index // across * height + HEAD})">')
        parts += _chart(traces, problem, width, height)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _chart(traces: Traces, problem: str, width: int, height: int) -> list[str]:
    bands = {peer: _quartiles([trace.best for trace in traces[peer][problem]]) for peer in traces if problem in traces[peer]}
    every = np.concatenate([band[np.isfinite(band) & (band > 0)] for band in bands.values()])
    low, high = np.log10(max(every.min(), every.max() * SMALLEST)), np.log10(every.max())
    count = next(iter(bands.values())).shape[1]

    def across(order: np.ndarray) -> np.ndarray:
        return LEFT + (width - LEFT - 10) * order / max(count - 1, 1)

    def down(logs: np.ndarray) -> np.ndarray:
        return 20 + (height - 44) * (high - logs) / max(high - low, 1e-9)

    def path(values: np.ndarray, order: np.ndarray) -> str:
        logs = np.log10(np.clip(np.where(np.isfinite(values), values, 10**high), 10**low, 10**high))
        return " ".join(f"{one:.1f},{other:.1f}" for one, other in zip(across(order), down(logs), strict=True))

    parts = [f'<text x="{LEFT}" y="12" font-weight="bold">{problem}</text>']
    for tick in _ticks(low, high):
        y = float(down(np.array(np.log10(tick))))
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{width - 10}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end" fill="#6b7280">{_number(tick)}</text>')
    for at in (count // 4, count // 2, count):
        x = float(across(np.array(at - 1)))
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="{"end" if at == count else "middle"}" fill="#6b7280">{at}</text>')
    for peer, colour in zip(traces, COLOURS, strict=False):
        if peer not in bands:
            continue
        band = bands[peer]
        forwards = np.arange(count)
        area = path(np.concatenate([band[0], band[2][::-1]]), np.concatenate([forwards, forwards[::-1]]))
        parts.append(f'<polygon points="{area}" fill="{colour}" opacity="0.15"/>')
        parts.append(f'<polyline points="{path(band[1], forwards)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return parts


def _number(tick: float) -> str:
    return f"{tick:g}" if 1e-3 <= tick <= 1e3 else f"{tick:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two logarithms: powers of ten, two at least, or else 1, 2 and 5 times them."""
    powers = [10.0**power for power in range(int(np.ceil(low)), int(np.floor(high)) + 1)]
    if len(powers) > 1:
        return powers
    return [
        factor * 10.0**power
        for power in range(int(np.floor(low)), int(np.ceil(high)) + 1)
        for factor in (1, 2, 5)
        if low <= np.log10(factor * 10.0**power) <= high
    ]


def _quartiles(traces: Sequence[Sequence[float]]) -> np.ndarray:
    ordered = np.sort(np.array(traces), axis=0)
    places = [round(share * (len(ordered) - 1)) for share in (0.25, 0.5, 0.75)]
    return ordered[places]
