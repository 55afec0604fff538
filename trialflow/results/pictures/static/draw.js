// Draws pictures with plotly: on a page of the service, and in a report. It fetches nothing: `plotly` is a promise that is kept when plotly is there.

import { bars, brushed, listen } from "./brush.js";

const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };
const dark = matchMedia("(prefers-color-scheme: dark)");

function hasWebGL() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl"));
  } catch {
    return false;
  }
}

function element(name, more = {}, ...inside) {
  const made = Object.assign(document.createElement(name), more);
  made.append(...inside);
  return made;
}

/** The pictures in `place`: one figure for each group. `choose(group, choice)` is called when another one of a group is asked for. */
export class Gallery {
  constructor(place, themes, { choose, address, webgl = true, plotly = Promise.resolve() } = {}) {
    this.place = place;
    this.themes = themes;
    this.choose = choose;
    this.address = address;
    this.webgl = webgl && hasWebGL();
    this.queue = new Set();
    this.figures = new Map();
    this.seen = new IntersectionObserver((entries) => entries.forEach((one) => this.see(one.target, one.isIntersecting)), { rootMargin: "100px" });
    plotly.then(
      () => {
        this.isReady = true;
        this.begin();
      },
      (error) => place.replaceChildren(element("p", { className: "card", textContent: `The pictures cannot be drawn: ${error.message}. Load the page again.` })),
    );
    dark.addEventListener("change", () => this.figures.forEach((figure) => figure.plot.drawn && this.draw(figure.plot, true)));
  }

  show(pictures, choices) {
    for (const picture of pictures) {
      const figure = this.figures.get(picture.group) ?? this.make(picture.group);
      this.update(figure, picture, choices[picture.group] ?? []);
    }
  }

  make(group) {
    const figure = {
      heading: element("h2"),
      select: element("select", { hidden: true }),
      plot: element("div", { className: "plot" }),
      caption: element("p", { className: "caption" }),
    };
    figure.plot.setAttribute("role", "group");
    figure.box = element("figure", { className: `picture card ${group}` }, element("figcaption", {}, figure.heading, figure.select), figure.plot, figure.caption);
    figure.box.dataset.group = group;
    figure.select.addEventListener("change", () => this.choose?.(group, figure.select.value));
    this.figures.set(group, figure);
    const room = this.place.querySelector(`:scope > .room.${group}`);
    if (room) room.replaceWith(figure.box);
    else this.place.append(figure.box);
    this.seen.observe(figure.plot);
    return figure;
  }

  update(figure, picture, choices) {
    figure.heading.textContent = picture.title;
    figure.caption.textContent = picture.caption;
    figure.plot.setAttribute("aria-label", picture.caption);
    figure.select.hidden = choices.length < 2;
    figure.select.setAttribute("aria-label", `${picture.title}: which`);
    if ([...figure.select.options].map((one) => one.value).join("\n") !== choices.join("\n")) {
      figure.select.replaceChildren(...choices.map((one) => element("option", { value: one, textContent: one.length > 80 ? `${one.slice(0, 79)}…` : one })));
    }
    figure.select.value = picture.choice;
    const text = JSON.stringify(picture.figure);
    if (figure.plot.text === text) return;
    Object.assign(figure.plot, { text, picture, isStale: true });
    if (figure.plot.isNear) this.draw(figure.plot);
  }

  /** A picture comes near the screen, or leaves it. One that is far away is drawn when it comes. */
  see(plot, isNear) {
    plot.isNear = isNear;
    if (isNear) this.draw(plot);
  }

  /** Draw a picture in a moment: one after the other, each after what the browser has to do meanwhile. */
  draw(plot, isForced = false) {
    if (!plot.picture || !(plot.isStale || isForced)) return;
    plot.isStale = true;
    this.queue.add(plot);
    this.begin();
  }

  begin() {
    if (this.isReady && this.queue.size) this.pending ||= requestAnimationFrame(() => setTimeout(() => this.next(), 0));
  }

  next() {
    const [plot] = this.queue;
    this.queue.delete(plot);
    this.pending = 0;
    if (plot?.isStale) this.drawNow(plot);
    this.begin();
  }

  drawNow(plot) {
    const { data, layout } = JSON.parse(plot.text);
    let shown = this.webgl ? data : data.map((trace) => (trace.type === "scattergl" ? { ...trace, type: "scatter" } : trace));
    if (layout.meta?.axes) {
      plot.ranges ??= {};
      const { data: some, selected } = brushed(shown, plot.ranges);
      shown = some;
      layout.shapes = [...layout.shapes, ...bars(plot.ranges)];
      const caption = plot.nextElementSibling;
      const more = selected === null ? "Drag along an axis to select." : `${selected} are selected; click on an axis to take its selection back.`;
      caption.textContent = `${plot.picture.caption} ${more}`;
    }
    if (!shown.length) {
      if (plot.drawn) Plotly.purge(plot);
      plot.drawn = plot.isStale = false;
      plot.replaceChildren(element("p", { className: "nothing", textContent: "Nothing to draw yet." }));
      return;
    }
    if (!plot.drawn) plot.replaceChildren();
    Plotly.react(plot, shown, { ...layout, template: this.themes[dark.matches ? "dark" : "light"] }, CONFIG);
    if (!plot.drawn && this.address) {
      plot.on("plotly_click", (event) => {
        const to = this.address(event.points[0]?.customdata);
        if (to) location.assign(to);
      });
    }
    if (!plot.drawn && layout.meta?.axes) listen(plot, () => JSON.parse(plot.text).layout.meta?.axes ?? 0, plot.ranges, () => this.draw(plot, true));
    plot.drawn = true;
    plot.isStale = false;
  }
}
