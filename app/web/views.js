// What the left side shows of a scope: its levels, the codes of a level, one code, one entry.

import { ask, bar, codeLink, element, entryLink, idOf, many, named, number } from "./dom.js";
import { address, call, codesCall } from "./scopes.js";

const PAGE = 100;

const row = (head, ...facts) => element("li", {}, element("div", { class: "row-head" }, head), ...facts);

const fact = (text) => element("span", { class: "quiet", text });

const rows = (nodes, empty, kind = "rows") =>
  nodes.length ? element("ul", { class: kind }, ...nodes) : element("p", { class: "quiet", text: empty });

const examples = (code) => fact(code.examples.map(named).join(" · "));

const codeRow = (scope, code, largest) =>
  row(element("a", { href: address(scope, "code", code.level, code.code), text: `Code ${code.code}` }),
    bar(code.size / Math.max(1, largest)), fact(many(code.size, scope.entity)), examples(code));

async function levels(scope) {
  const answer = await ask(codesCall(scope, ""));
  if (!answer.levels.length) {
    return [element("p", { text: `This model learned no categories of ${scope.entity}s: it was `
      + "trained without COVE on them. It still answers." })];
  }
  return [
    element("p", { class: "quiet", text: "Learned from ids alone. Level 1 is the finest; each of its "
      + "codes belongs to one code of the level above." }),
    rows(answer.levels.map((level) =>
      row(element("a", { href: address(scope, "level", level.level), text: `Level ${level.level}` }),
        bar(level.used / level.size),
        fact(`${number(level.used)} of ${many(level.size, "code")} used`),
        fact(`perplexity ${number(level.perplexity, 1)}`),
        fact(many(level.items ?? level.users, scope.entity))))),
  ];
}

async function level(scope, at) {
  const answer = await ask(codesCall(scope, `/${at}`, { sort: "size" }));
  const used = answer.codes.filter((code) => code.size > 0);
  const unused = answer.total - used.length;
  const listed = (codes) => codes.map((code) => codeRow(scope, code, used[0].size));
  const shown = rows(listed(used.slice(0, PAGE)), "No code is used.");
  const more = element("button", { type: "button", text: `Show all ${number(used.length)} codes`,
    hidden: used.length <= PAGE,
    onclick: () => {
      shown.append(...listed(used.slice(PAGE)));
      more.hidden = true;
    } });
  return [
    element("h3", { text: `Level ${at}` }),
    element("p", { class: "quiet", text: `${many(used.length, "code")} by size`
      + (unused ? `; ${number(unused)} without ${scope.entity}s` : "") }),
    shown, more,
  ];
}

async function code(scope, at, which) {
  const detail = await ask(codesCall(scope, `/${at}/${which}`));
  const children = detail.children.filter((child) => child.size > 0);
  return [
    element("h3", { text: `Code ${which} of level ${at}` }),
    element("p", { class: "quiet" }, `${many(detail.size, scope.entity)}, `
      + `${many(detail.popularity, scope.seen)} in training. `,
      ...(detail.parent === null ? [] : [`Belongs to level ${Number(at) + 1}: `,
        codeLink(scope, Number(at) + 1, detail.parent)])),
    ...(Number(at) > 1 ? [element("h4", { text: `Its codes of level ${at - 1}` }),
      rows(children.map((child) => codeRow(scope, child, children[0].size)), "None is used.")] : []),
    element("h4", { text: scope.entity === "user" ? "Users" : "Items" }),
    ...entries(scope, at, which),
    element("h4", { text: "Nearest codes" }),
    rows(detail.nearest.map((near) =>
      row(element("a", { href: address(scope, "code", at, near.code), text: `Code ${near.code}` }),
        fact(`distance ${near.distance.toFixed(2)}`), fact(many(near.size, scope.entity)),
        examples(near))),
    "No other code is used."),
  ];
}

function entries(scope, at, which) {
  const list = element("ul", { class: "rows compact" });
  const note = element("p", { class: "quiet" });
  const more = element("button", { type: "button", text: "Show more", hidden: true });
  const sort = element("select", { "aria-label": `Order of the ${scope.entity}s` },
    element("option", { value: "popularity", text: `most ${scope.seen}s first` }),
    element("option", { value: "closeness", text: "closest to the code first" }));
  let cursor = null;
  const fetchMore = async () => {
    try {
      const page = await ask(codesCall(scope, `/${at}/${which}/items`,
        { limit: 25, sort: sort.value, ...(cursor ? { cursor } : {}) }));
      list.append(...page.items.map((entry) => row(entryLink(scope, entry),
        fact(sort.value === "popularity" ? many(entry.popularity, scope.seen)
          : `distance ${entry.distance.toFixed(2)}`))));
      cursor = page.next;
      more.hidden = cursor === null;
      note.textContent = page.total ? `${number(list.children.length)} of ${number(page.total)}`
        : `No ${scope.entity} has this code.`;
    } catch (error) {
      note.textContent = error.message;
    }
  };
  const restart = () => {
    cursor = null;
    list.replaceChildren();
    return fetchMore();
  };
  more.addEventListener("click", fetchMore);
  sort.addEventListener("change", restart);
  restart();
  return [sort, list, note, more];
}

async function entry(scope, offers, id) {
  const detail = await ask(call(scope, `/${scope.entity}s/${encodeURIComponent(id)}`));
  return [
    element("h3", { text: named(detail) }),
    element("p", { class: "quiet", text: [`id ${idOf(detail)}`,
      `${many(detail.popularity, scope.seen)} in training`,
      ...(detail.categories?.length ? [`true categories: ${detail.categories.join(", ")}`] : [])]
      .join(" · ") }),
    element("p", {}, ...(detail.codes.length ? ["Codes, fine to coarse: "] : ["No codes."]),
      ...detail.codes.flatMap((each, at) => [codeLink(scope, at + 1, each), " "])),
    ...offers(scope, detail),
    element("h4", { text: `Most similar ${scope.entity}s` }),
    rows(detail.similar.map((other) => row(entryLink(scope, other),
      bar(Math.max(0, other.similarity)), fact(`cosine ${other.similarity.toFixed(2)}`))),
    "There are none.", "rows compact"),
  ];
}

const steps = (scope, kind, ...parts) => {
  const level = [address(scope, "level", parts[0]), `Level ${parts[0]}`];
  if (kind === "level") return [level];
  if (kind === "code") return [level, [address(scope, "code", ...parts), `Code ${parts[1]}`]];
  if (kind !== scope.entity) return [];
  return [[address(scope, kind, parts[0]), named({ [kind]: parts[0] })]];
};

export const trail = (scope, kind, ...parts) =>
  [[address(scope), "Levels"], ...(kind ? steps(scope, kind, ...parts) : [])];

export const view = (scope, kind, offers, ...parts) => {
  if (kind === scope.entity) return entry(scope, offers, ...parts);
  return ({ level, code }[kind] ?? levels)(scope, ...parts);
};
