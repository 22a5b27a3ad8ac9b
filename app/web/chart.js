// A line chart as SVG, and the same numbers as a table for whoever cannot see it.

import { drawn, element, number } from "./dom.js";
import { table } from "./rows.js";

const WIDTH = 480;
const HEIGHT = 220;
const LEFT = 58;
const BOTTOM = 26;
const TOP = 10;
const RIGHT = 10;
const COLOURS = 8;

// Round steps between two values, about `count` of them.
export function ticks(low, high, count) {
  if (low === high) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step);
}

const shown = (value) => (Math.abs(value) >= 1000 ? number(value) : String(Number(value.toPrecision(3))));

const extent = (values) => values.reduce(([low, high], value) =>
  [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

function axes(place, [lowX, highX], [lowY, highY]) {
  const wholes = ticks(lowX, highX, 6).filter(Number.isInteger);
  return [
    ...ticks(lowY, highY, 4).flatMap((value) => [
      drawn("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: place.y(value), y2: place.y(value) }),
      drawn("text", { x: LEFT - 6, y: place.y(value) + 4, "text-anchor": "end", text: shown(value) })]),
    ...wholes.map((value) => drawn("text", { x: place.x(value), y: HEIGHT - 8,
      "text-anchor": "middle", text: value })),
  ];
}

const curve = (place, points, at, name) => drawn("g", { class: `series-${at % COLOURS}` },
  drawn("title", { text: name }),
  drawn("polyline", { points: points.map(([x, y]) => `${place.x(x)},${place.y(y)}`).join(" ") }),
  ...(points.length <= 40 ? points : points.slice(-1)).map(([x, y]) =>
    drawn("circle", { cx: place.x(x), cy: place.y(y), r: 2.5 }, drawn("title",
      { text: `${name}: epoch ${x}, ${shown(y)}` }))));

const legend = (series) => element("ul", { class: "legend" }, ...series.map(({ name, href }, at) =>
  element("li", { class: `series-${at % COLOURS}` }, element("span", { class: "key", "aria-hidden": "true" }),
    href ? element("a", { href, text: name }) : name)));

function numbers(title, series) {
  const epochs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))]
    .sort((one, other) => one - other);
  const values = series.map(({ points }) => new Map(points));
  return element("details", {}, element("summary", { text: "The numbers" }),
    table(`${title}, by epoch`, [{ text: "Epoch" },
      ...series.map(({ name }) => ({ text: name, kind: "number" }))],
    epochs.map((epoch) => [String(epoch), ...values.map((each) =>
      each.has(epoch) ? shown(each.get(epoch)) : "")])));
}

// series: [{ name, points: [[epoch, value], …], href }].
export function lineChart(title, series) {
  const drawable = series.filter(({ points }) => points.length);
  const points = drawable.flatMap((each) => each.points);
  const xs = extent(points.map(([x]) => x));
  let ys = extent(points.map(([, y]) => y));
  if (ys[0] === ys[1]) ys = [ys[0] - Math.abs(ys[0] || 1) / 2, ys[1] + Math.abs(ys[1] || 1) / 2];
  const place = {
    x: (value) => LEFT + (WIDTH - LEFT - RIGHT) * (xs[0] === xs[1] ? 0.5 : (value - xs[0]) / (xs[1] - xs[0])),
    y: (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - ys[0]) / (ys[1] - ys[0]),
  };
  const last = drawable.map((each) => `${each.name} ${shown(each.points.at(-1)[1])}`).join(", ");
  return element("figure", { class: "chart" }, element("figcaption", { text: title }),
    drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
      "aria-label": `${title} by epoch; at the end: ${last}` },
    ...axes(place, xs, ys), ...drawable.map(({ name, points: own }, at) => curve(place, own, at, name))),
    series.length > 1 ? legend(drawable) : null, numbers(title, drawable));
}
