// One item or one user: its codes, what is most like it, and what the user had in training.

import { ask, bar, element, entryLink, idOf, many, named, number, quiet } from "./dom.js";
import { codesIn } from "./measures.js";
import { fact, row, rows, section, trail } from "./rows.js";
import { address, call } from "./scopes.js";
import { offers } from "./trying.js";

const similar = (scope, detail) => section(`Most similar ${scope.entity}s`,
  rows(detail.similar.map((other) => row(entryLink(scope, other), bar(Math.max(0, other.similarity)),
    fact(`cosine ${other.similarity.toFixed(2)}`))), "There are none.", "rows compact"));

// What the user had in training.
const history = (scope, scopes, detail) => {
  const items = scopes.find((each) => each.model === scope.model && each.entity === "item");
  return section("Had in training", ...(detail.history === null
    ? [quiet("This model does not keep what its users had.")]
    : [rows(detail.history.map((item) => row(entryLink(items, item),
      fact(many(item.popularity, scope.seen)))), "Nothing.", "rows compact"),
    detail.popularity > detail.history.length
      ? quiet(`The ${number(detail.history.length)} most popular of ${number(detail.popularity)}.`) : null]));
};

export async function view(context) {
  const { scope, scopes, parts: [id] } = context;
  const detail = await ask(call(scope, `/${scope.entity}s/${encodeURIComponent(id)}`));
  const codes = codesIn(scope, detail.codes, detail.labels);
  return [
    trail([address(scope, `${scope.entity}s`), scope.entity === "user" ? "Users" : "Items"],
      [address(scope, scope.entity, id), named(detail)]),
    element("h2", { text: named(detail) }),
    element("p", { class: "quiet", text: [`id ${idOf(detail)}`,
      `${many(detail.popularity, scope.seen)} in training`,
      ...(detail.categories?.length ? [`true categories: ${detail.categories.join(", ")}`] : [])]
      .join(" · ") }),
    element("p", { class: "codes" }, codes.length ? "Codes, fine to coarse: " : "No codes.", ...codes),
    element("div", { class: "row" }, ...offers(context, detail)),
    element("div", { class: "columns" }, similar(scope, detail),
      scope.entity === "user" ? history(scope, scopes, detail) : null),
  ];
}
