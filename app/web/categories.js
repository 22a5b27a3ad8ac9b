// True categories of a code, where the data have some: never seen in training.

import { bar, element, percent } from "./dom.js";

// The largest shares in a line.
export const shares = (found) =>
  (found ?? []).map(({ category, share }) => `${category} ${percent(share)}`).join(" · ");

// Every share as a bar, the largest first.
export const shareBars = (found) =>
  element("ul", { class: "bars" }, ...found.map(({ category, share }) =>
    element("li", {}, element("span", { text: category }), bar(share),
      element("strong", { text: percent(share, 1) }))));
