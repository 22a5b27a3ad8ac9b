// Rows of facts, tables that can be sorted, and trails: what most pages are made of.

import { element } from "./dom.js";

export const fact = (text) => element("span", { class: "quiet", text });

export const row = (head, ...facts) =>
  element("li", {}, element("div", { class: "row-head" }, head), ...facts);

export const rows = (nodes, empty, kind = "rows") =>
  nodes.length ? element("ul", { class: kind }, ...nodes) : element("p", { class: "quiet", text: empty });

export const section = (title, ...nodes) =>
  element("section", { class: "panel" }, element("h3", { text: title }), ...nodes);

// Where one is: pairs of address and text, the last of them the page itself.
export const trail = (...steps) =>
  element("nav", { class: "trail", "aria-label": "Where you are" }, ...steps.flatMap(([href, text], step) => [
    step ? " › " : "",
    element("a", { href, text, "aria-current": step === steps.length - 1 && "page" })]));

// A term and what it is, side by side.
export const facts = (pairs) =>
  element("dl", { class: "facts" }, ...pairs.flatMap(([term, value]) =>
    [element("dt", { text: term }), element("dd", {}, value)]));

// columns: [{ text, kind: "number" or nothing }]; cells: what a row holds, nodes or text. It may be
// wider than the screen: then it scrolls in its own box, also by keyboard.
export function table(caption, columns, lines) {
  const head = element("tr", {}, ...columns.map((column) =>
    element("th", { scope: "col", class: column.kind, "aria-sort": column.sorted },
      column.head ?? column.text)));
  const body = element("tbody", {}, ...lines.map((cells) => line(columns, cells)));
  return element("div", { class: "wide", role: "region", tabindex: 0, "aria-label": caption },
    element("table", {}, element("caption", { class: "unseen", text: caption }),
      element("thead", {}, head), body));
}

export const line = (columns, cells) => element("tr", {}, ...cells.map((cell, at) =>
  element(at ? "td" : "th", { scope: at ? null : "row", class: columns[at].kind }, cell ?? "")));
