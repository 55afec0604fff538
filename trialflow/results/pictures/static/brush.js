// Dragging along an axis of parallel coordinates: lines outside of what is selected turn grey. A click on an axis takes its selection back.

const REACH = 0.2;
const GREY = { color: "rgba(128,134,145,0.18)", width: 1, simplify: false };

/** The traces with the lines that miss a range taken out of them, and those lines as one grey trace before them. `ranges`: axis -> [low, high]. */
export function brushed(data, ranges) {
  const chosen = Object.entries(ranges);
  if (!chosen.length) return { data, selected: null };
  const grey = { type: "scatter", mode: "lines", x: [], y: [], line: GREY, hoverinfo: "skip", showlegend: false };
  let selected = 0;
  const kept = data.map((trace) => {
    if (trace.mode !== "lines") return trace;
    const to = { ...trace, x: [], y: [], customdata: [], ...(trace.text ? { text: [] } : {}) };
    const width = trace.x.indexOf(null) + 1;
    for (let at = 0; at < trace.x.length; at += width) {
      const isIn = chosen.every(([axis, [low, high]]) => trace.y[at + Number(axis)] >= low && trace.y[at + Number(axis)] <= high);
      const place = isIn ? to : grey;
      for (const name of isIn ? ["x", "y", "customdata", ...(trace.text ? ["text"] : [])] : ["x", "y"]) {
        place[name].push(...trace[name].slice(at, at + width));
      }
      selected += isIn;
    }
    return to;
  });
  return { data: [grey, ...kept], selected };
}

/** The shapes that show the ranges. */
export function bars(ranges) {
  return Object.entries(ranges).map(([axis, [low, high]]) => ({
    type: "rect", x0: Number(axis) - 0.03, x1: Number(axis) + 0.03, y0: low, y1: high, fillcolor: "rgba(196,98,157,0.55)", line: { width: 0 },
  }));
}

/** Let people drag along the axes of `plot`, which has been drawn. `changed(ranges)` is called with every new selection. */
export function listen(plot, axes, ranges, changed) {
  let begun = null;
  const place = (event) => {
    const { xaxis, yaxis } = plot._fullLayout;
    const box = plot.getBoundingClientRect();
    return [xaxis.p2d(event.clientX - box.left - xaxis._offset), yaxis.p2d(event.clientY - box.top - yaxis._offset)];
  };
  plot.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    const axis = Math.round(x);
    if (Math.abs(x - axis) > REACH || axis < 0 || axis >= axes() || y < -0.06 || y > 1.06) return;
    begun = { axis, y };
    plot.setPointerCapture(event.pointerId);
    event.preventDefault();
  }, true);
  plot.addEventListener("pointerup", (event) => {
    if (!begun) return;
    const { axis, y } = begun;
    const [, end] = place(event);
    begun = null;
    if (Math.abs(end - y) < 0.015) delete ranges[axis];
    else ranges[axis] = [Math.min(y, end), Math.max(y, end)];
    changed(ranges);
  }, true);
  plot.addEventListener("pointercancel", () => (begun = null));
}
