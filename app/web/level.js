// One level: its codes as a table, in any order, a page at a time.

import { ask, bar, element, failed, many, named, number, quiet } from "./dom.js";
import { shares } from "./categories.js";
import { line, table, trail } from "./rows.js";
import { address, codesCall } from "./scopes.js";
import { titleOf } from "./tree.js";

const PAGE = 100;

// What can be sorted by, and the direction that a first click gives.
const FIRST = { code: "ascending", size: "descending", popularity: "descending", closeness: "ascending" };

const columnsOf = (scope, at, levels, hasCategories) => [
  { text: "Code", sort: "code", kind: "tight" },
  { text: scope.entity === "user" ? "Users" : "Items", sort: "size", kind: "number" },
  { text: `${scope.seen[0].toUpperCase()}${scope.seen.slice(1)}s in training`, sort: "popularity",
    kind: "number" },
  { text: "Mean distance", sort: "closeness", kind: "number" },
  ...(at < levels.length ? [{ text: `Level ${at + 1}`, kind: "tight" }] : []),
  { text: "Most popular", kind: "text" },
  ...(hasCategories ? [{ text: "True categories", kind: "text" }] : []),
];

const cellsOf = (scope, at, levels, hasCategories, code, largest) => [
  element("a", { href: address(scope, "code", at, code.code), text: titleOf(code) }),
  element("span", { class: "measure" }, bar(code.size / largest), number(code.size)),
  number(code.popularity),
  code.closeness === null ? "" : number(code.closeness, 2),
  ...(at < levels.length ? [element("a", { href: address(scope, "code", at + 1, code.parent),
    text: `Code ${code.parent}` })] : []),
  code.examples.map(named).join(" · "),
  ...(hasCategories ? [shares(code.categories)] : []),
];

export async function view({ scope, parts, signal }) {
  const at = Number(parts[0]);
  const [{ levels, categories }, first] = await Promise.all([ask(codesCall(scope, "")),
    ask(codesCall(scope, `/${encodeURIComponent(parts[0])}`, { sort: "size", limit: PAGE }))]);
  const hasCategories = Boolean(categories?.length);
  const largest = Math.max(1, first.codes[0]?.size ?? 1);
  const state = { sort: "size", order: "descending", next: first.next };
  const columns = columnsOf(scope, at, levels, hasCategories);
  const box = element("div");
  const note = element("p", { class: "quiet", role: "status" });
  const more = element("button", { type: "button", text: "Show more", onclick: () => load(state.next) });
  let turn = 0;

  const lineOf = (code) => cellsOf(scope, at, levels, hasCategories, code, largest);
  const body = () => box.querySelector("tbody");

  const told = () => {
    note.textContent = `${number(body().children.length)} of ${many(first.total, "code")}`;
    more.hidden = state.next === null;
  };

  const heads = () => columns.map((column) => column.sort ? { ...column,
    sorted: column.sort === state.sort ? state.order : "none",
    head: element("button", { type: "button", class: "link", "data-sort": column.sort,
      text: column.text, onclick: () => sortBy(column.sort) }) } : column);

  const shown = (codes) => {
    const focused = document.activeElement?.dataset?.sort;
    box.replaceChildren(table(`Codes of level ${at}`, heads(), codes.map(lineOf)));
    if (focused) box.querySelector(`[data-sort=${focused}]`)?.focus();
    told();
  };

  async function load(offset) {
    const mine = (turn += 1);
    try {
      const answer = await ask(codesCall(scope, `/${at}`,
        { sort: state.sort, order: state.order, limit: PAGE, offset }), { signal });
      if (mine !== turn) return;
      state.next = answer.next;
      if (offset) body().append(...answer.codes.map((code) => line(columns, lineOf(code))));
      else shown(answer.codes);
      told();
    } catch (error) {
      if (mine === turn && !signal.aborted) note.replaceChildren(failed(error));
    }
  }

  function sortBy(name) {
    const turned = { ascending: "descending", descending: "ascending" };
    state.order = state.sort === name ? turned[state.order] : FIRST[name];
    state.sort = name;
    load(0);
  }

  shown(first.codes);
  const use = levels[at - 1];
  return [
    trail([address(scope, "codes"), "Codes"], [address(scope, "level", at), `Level ${at}`]),
    element("h2", { text: `Level ${at}` }),
    quiet(`${number(use.used)} of ${many(use.size, "code")} used, perplexity ${number(use.perplexity, 1)}. `
      + `Mean distance: how far a code's ${scope.entity}s lie from it; less is closer.`),
    element("section", { class: "panel" }, box, element("div", { class: "row" }, more, note)),
  ];
}
