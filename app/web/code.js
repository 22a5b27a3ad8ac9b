// One code: its name, its place in the tree, what belongs to it, and what lies near.

import { ask, bar, codeLink, element, entryLink, many, named, number, quiet } from "./dom.js";
import { shareBars } from "./categories.js";
import { labelEditor } from "./label.js";
import { fact, row, rows, section, trail } from "./rows.js";
import { address, codesCall } from "./scopes.js";
import { titleOf } from "./tree.js";

const PAGE = 25;
const CATEGORIES = 12;

const codeRow = (scope, code, ...facts) => row(
  element("a", { href: address(scope, "code", code.level, code.code), text: titleOf(code) }),
  ...facts, fact(code.examples.map(named).join(" · ")));

const children = (scope, detail) => {
  const used = detail.children.filter((child) => child.size > 0);
  return section(`Its codes of level ${detail.level - 1}`, rows(used.map((child) =>
    codeRow(scope, child, bar(child.size / used[0].size), fact(many(child.size, scope.entity)))),
  "None is used."));
};

const nearest = (scope, detail) => section("Nearest codes", rows(detail.nearest.map((near) =>
  codeRow(scope, near, fact(`distance ${near.distance.toFixed(2)}`), fact(many(near.size, scope.entity)))),
"No other code is used."));

const representatives = (scope, detail) => section(`Closest to the code`,
  rows(detail.representatives.map((entry) => row(entryLink(scope, entry),
    fact(`distance ${entry.distance.toFixed(2)}`))), `No ${scope.entity} has this code.`, "rows compact"));

function entries(scope, at, which, signal) {
  const list = element("ul", { class: "rows compact" });
  const note = element("p", { class: "quiet", role: "status" });
  const more = element("button", { type: "button", text: "Show more", hidden: true });
  const sort = element("select", { "aria-label": `Order of the ${scope.entity}s` },
    element("option", { value: "popularity", text: "most popular first" }),
    element("option", { value: "closeness", text: "closest to the code first" }));
  let cursor = null;
  let turn = 0;
  const fetchMore = async () => {
    const mine = (turn += 1);
    try {
      const page = await ask(codesCall(scope, `/${at}/${which}/items`,
        { limit: PAGE, sort: sort.value, ...(cursor ? { cursor } : {}) }), { signal });
      if (mine !== turn) return;
      if (!cursor) list.replaceChildren();
      list.append(...page.items.map((entry) => row(entryLink(scope, entry),
        fact(sort.value === "popularity" ? many(entry.popularity, scope.seen)
          : `distance ${entry.distance.toFixed(2)}`))));
      cursor = page.next;
      more.hidden = cursor === null;
      note.textContent = page.total ? `${number(list.children.length)} of ${number(page.total)}`
        : `No ${scope.entity} has this code.`;
    } catch (error) {
      if (mine === turn && !signal.aborted) note.textContent = error.message;
    }
  };
  more.addEventListener("click", fetchMore);
  sort.addEventListener("change", () => { cursor = null; fetchMore(); });
  fetchMore();
  return section(scope.entity === "user" ? "All its users" : "All its items", sort, list,
    element("div", { class: "row" }, more, note));
}

const trueCategories = (detail) => detail.categories?.length ? section("True categories of its items",
  quiet("Share of its items in each; the model never saw them."),
  shareBars(detail.categories.slice(0, CATEGORIES)),
  detail.categories.length > CATEGORIES
    ? quiet(`and ${number(detail.categories.length - CATEGORIES)} rarer ones`) : null) : null;

export async function view({ scope, parts: [at, which], signal }) {
  const detail = await ask(codesCall(scope, `/${encodeURIComponent(at)}/${encodeURIComponent(which)}`));
  const heading = element("h2", { text: titleOf(detail) });
  const above = detail.parent === null ? null : codeLink(scope, detail.level + 1, detail.parent);
  return [
    trail([address(scope, "codes"), "Codes"], [address(scope, "level", at), `Level ${at}`],
      [address(scope, "code", at, which), `Code ${which}`]),
    heading,
    element("p", { class: "quiet" }, `Code ${which} of level ${at}: ${many(detail.size, scope.entity)}, `
      + `${many(detail.popularity, scope.seen)} in training. `,
    ...(above ? [`Belongs to level ${detail.level + 1}: `, above, ". "] : []),
    element("a", { href: address(scope, "codes", at, which), text: "Show it in the tree" })),
    labelEditor(scope, detail, (changed) => { heading.textContent = titleOf(changed); }),
    element("div", { class: "columns" },
      element("div", { class: "stack" }, entries(scope, detail.level, detail.code, signal),
        ...(detail.level > 1 ? [children(scope, detail)] : [])),
      element("div", { class: "stack" }, representatives(scope, detail),
        trueCategories(detail) ?? "")),
    nearest(scope, detail),
  ];
}
