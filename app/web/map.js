// The map: every item or user as a point, coloured by what was learned or by true category.

import { combobox } from "./combo.js";
import { ask, element, entryLink, idOf, many, named, number } from "./dom.js";
import { pointCanvas } from "./map_canvas.js";
import { coloursOf, groundColour, groupings, groupsOf } from "./map_groups.js";
import { address, call, codesCall } from "./scopes.js";

const PAUSE_MS = 120;

const hint = "Drag or arrow keys to move, wheel or + and − to zoom, 0 for the whole map; click or "
  + "Enter opens the point in the ring.";

// Tells of the point that the pointer is at: its id at once, its title when the server has said it.
function teller(scope, map, note, signal) {
  let timer = 0;
  let current = -1;
  const told = (entry, more) => note.replaceChildren(entryLink(scope, entry), more);
  return (at, choices) => {
    if (at === current) return;
    current = at;
    clearTimeout(timer);
    if (at < 0) return note.replaceChildren(hint);
    const id = map.ids[at];
    const groups = choices.filter((each) => each.of(at) >= 0)
      .map((each) => `${each.text.split(":")[0].toLowerCase()}: ${each.name(each.of(at))}`);
    told({ [scope.entity]: id }, ` · ${groups.join(" · ")}`);
    if (scope.entity === "user") return;
    timer = setTimeout(async () => {
      try {
        const entry = await ask(call(scope, `/items/${encodeURIComponent(id)}`, { similar: 0 }), { signal });
        if (at === current) told(entry, ` · ${groups.join(" · ")}`);
      } catch { /* the id is there already */ }
    }, PAUSE_MS);
  };
}

function legendOf(grouping, groups, chosen, choose) {
  const { listed, total } = groups;
  return [
    ...listed.map(({ group, count, css }) => {
      const key = element("span", { class: "key", "aria-hidden": "true" });
      key.style.background = css;
      return element("li", {}, element("button", { type: "button", "aria-pressed": String(chosen === group),
        onclick: () => choose(chosen === group ? null : group) },
      key, grouping.name(group), element("span", { class: "quiet", text: ` ${number(count)}` })));
    }),
    total > listed.length ? element("li", { class: "quiet",
      text: `paler: ${many(total - listed.length, "smaller group")}` }) : null,
  ].filter(Boolean);
}

export async function view({ scope, signal }) {
  const what = scope.entity === "user" ? "users" : "items";
  const [map, { labels }] = await Promise.all([
    ask(call(scope, "/map", { entity: scope.entity }), { signal }),
    ask(codesCall(scope, "/labels"), { signal })]);
  const size = map.ids.length;
  const choices = groupings(map, labels);
  if (!size) return [element("h2", { text: "Map" }), element("p", { text: `The model has no ${what}.` })];
  const canvas = element("canvas", { class: "map", tabindex: 0, role: "application",
    "aria-label": `Map of ${many(size, scope.entity)}. ${hint}` });
  const note = element("p", { class: "map-note", role: "status" }, hint);
  const tell = teller(scope, map, note, signal);
  const open = (at) => { location.hash = address(scope, scope.entity, map.ids[at]); };
  const points = { x: Float32Array.from(map.x), y: Float32Array.from(map.y) };
  const shown = pointCanvas(canvas, points, { onNear: (at) => tell(at, choices), onOpen: open });
  const legend = element("ul", { class: "map-legend", "aria-label": "Groups, the largest first" });
  const select = element("select", { id: "map-by" },
    ...choices.map(({ value, text }) => element("option", { value, text })));
  const plain = { of: () => -1, name: () => "" };

  function colour(only = null) {
    const grouping = choices.find(({ value }) => value === select.value) ?? plain;
    const groups = groupsOf(grouping, size);
    const focused = [...legend.querySelectorAll("button")].indexOf(document.activeElement);
    shown.colour(coloursOf(grouping, groups.colours, size, only), groundColour());
    legend.replaceChildren(...legendOf(grouping, groups, only, colour));
    legend.querySelectorAll("button")[focused]?.focus();
  }

  const find = element("input", { id: "map-find", type: "search",
    placeholder: scope.entity === "user" ? "Id" : "Title or id" });
  const field = element("div", { class: "combo" },
    element("label", { for: "map-find", text: `Fly to ${scope.entity === "user" ? "a user" : "an item"}` }), find);
  combobox(find, () => scope, (entry) => {
    const at = map.ids.indexOf(idOf(entry));
    if (at < 0) note.textContent = `${named(entry)} is not among the ${number(size)} most popular shown.`;
    else shown.fly(at);
  });
  const button = (text, label, act) =>
    element("button", { type: "button", text, "aria-label": label, onclick: act });
  select.addEventListener("change", () => colour());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colour(), { signal });
  signal?.addEventListener("abort", shown.leave);
  colour();
  return [
    element("h2", { text: `Map of ${what}` }),
    element("p", { class: "quiet", text: `Every ${scope.entity} is a point; who is alike for the model `
      + "lies near, as far as a plane can show it"
      + (map.total > size ? `. The ${number(size)} most popular of ${number(map.total)}.` : ".") }),
    element("section", { class: "panel" },
      element("div", { class: "map-controls" },
        choices.length ? element("div", {}, element("label", { for: "map-by", text: "Colour by" }), select) : null,
        field,
        element("div", { class: "row" }, button("+", "Zoom in", () => shown.zoom(1.6)),
          button("−", "Zoom out", () => shown.zoom(1 / 1.6)), button("Whole map", "Whole map", shown.whole))),
      canvas, note, legend),
  ];
}
