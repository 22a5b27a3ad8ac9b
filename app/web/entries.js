// The items or the users of a scope: those that a search finds, at first the most popular.

import { ask, element, entryLink, idOf, many, number, quiet } from "./dom.js";
import { codesIn } from "./measures.js";
import { table } from "./rows.js";
import { call } from "./scopes.js";

const PAUSE_MS = 150;
const MOST = 50;

const columns = (scope) => [{ text: scope.entity === "user" ? "User" : "Item" }, { text: "Id" },
  { text: `${scope.seen[0].toUpperCase()}${scope.seen.slice(1)}s in training`, kind: "number" },
  { text: "Codes, fine to coarse" }];

const cells = (scope, entry) => [entryLink(scope, entry), String(idOf(entry)), number(entry.popularity),
  element("span", { class: "codes" }, ...codesIn(scope, entry.codes))];

export async function view({ scope, signal }) {
  const what = `${scope.entity}s`;
  const found = element("div");
  const note = element("p", { class: "quiet", role: "status" });
  const field = element("input", { id: "search", type: "search", autocomplete: "off",
    placeholder: scope.entity === "user" ? "Id" : "Title or id" });
  let timer = 0;
  let turn = 0;

  const search = async () => {
    const text = field.value.trim();
    const mine = (turn += 1);
    const answer = await ask(call(scope, `/${what}`, { limit: MOST, search: text }), { signal });
    if (mine !== turn) return;
    const entries = answer[what];
    found.replaceChildren(entries.length
      ? table(text ? `${what} found` : `${what}, the most popular first`, columns(scope),
        entries.map((entry) => cells(scope, entry)))
      : quiet(`Nothing holds “${text}”: try a part of it.`));
    note.textContent = !text ? `The ${many(entries.length, scope.entity)} most often in training.`
      : entries.length === MOST ? `The first ${MOST} that hold “${text}”.`
        : `${many(entries.length, scope.entity)} found.`;
  };

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => search().catch((error) => {
      if (!signal.aborted) note.textContent = error.message;
    }), PAUSE_MS);
  };

  field.addEventListener("input", later);
  await search();
  return [
    element("h2", { text: scope.entity === "user" ? "Users" : "Items" }),
    element("section", { class: "panel" },
      element("form", { role: "search", onsubmit: (event) => { event.preventDefault(); later(); } },
        element("label", { for: "search", text: `Find ${scope.entity === "user" ? "a user" : "an item"}` }),
        field),
      note, found),
  ];
}
