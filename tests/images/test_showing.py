import io

import pytest

from tasks.images.events import ImageEvent, image_watcher, tell
from trialflow.cli.terminal.image_progress import Drawing, image_shown, size


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (50_000_001, "50.0 MB"), (3 * 10**9, "3.0 GB")]
)
def test_sizes_are_short(count: int, text: str) -> None:
    assert size(count) == text


def test_without_a_terminal_there_is_one_line_for_each_step_and_none_for_output_or_layers(capsys: pytest.CaptureFixture[str]) -> None:
    with image_shown():
        for event in (
            ImageEvent("context", "2 files", total=138), ImageEvent("step", "FROM python", number=1, steps=2), ImageEvent("output", "noise"),
            ImageEvent("layer", "Pushing", layer="abc", done=1, total=2), ImageEvent("pushed", "r/m@sha256:1"),
        ):  # fmt: skip
            tell(event)
    shown = capsys.readouterr()
    assert shown.err.splitlines() == ["image: 2 files, 138 B", "image: step 1/2: FROM python", "image: pushed r/m@sha256:1"]
    assert shown.out == ""
    assert image_watcher.get() is None


def test_on_a_terminal_layers_in_flight_have_a_line_each_and_finished_ones_are_counted() -> None:
    from rich.console import Console

    drawing = Drawing()
    for event in (ImageEvent("layer", "Pushing", layer="abcdef", done=5_000_000, total=10_000_000), ImageEvent("layer", "Pushed", layer="fedcba")):
        drawing(event)
    paper = io.StringIO()
    Console(file=paper, width=120).print(drawing.render())
    assert "abcdef" in paper.getvalue() and "5.0 MB of 10.0 MB" in paper.getvalue() and "1 of 2 layers done" in paper.getvalue()
    assert "fedcba" not in paper.getvalue()
