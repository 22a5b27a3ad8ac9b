// What the left side shows: the levels, the codes of a level, one code, one item.

import { ask, codeLink, element, itemLink, many, named, number } from "./dom.js";

const PAGE = 100;

const bar = (share) =>
  element("meter", { min: 0, max: 1, value: share, "aria-hidden": "true" });

const row = (head, ...facts) => element("li", {}, element("div", { class: "row-head" }, head), ...facts);

const fact = (text) => element("span", { class: "quiet", text });

const rows = (nodes, empty, kind = "rows") =>
  nodes.length ? element("ul", { class: kind }, ...nodes) : element("p", { class: "quiet", text: empty });

const examples = (code) => fact(code.examples.map(named).join(" · "));

const codeRow = (code, largest) =>
  row(element("a", { href: `#/code/${code.level}/${code.code}`, text: `Code ${code.code}` }),
    bar(code.size / Math.max(1, largest)), fact(many(code.size, "item")), examples(code));

async function levels() {
  const answer = await ask("/codes");
  if (!answer.levels.length) {
    return [element("p", { text: "This model learned no categories: it was trained without --cove. "
      + "It still completes lists." })];
  }
  return [
    element("p", { class: "quiet", text: "Learned from ids alone. Level 1 is the finest; each of its "
      + "codes belongs to one code of the level above." }),
    rows(answer.levels.map((level) =>
      row(element("a", { href: `#/level/${level.level}`, text: `Level ${level.level}` }),
        bar(level.used / level.size),
        fact(`${number(level.used)} of ${many(level.size, "code")} used`),
        fact(`perplexity ${number(level.perplexity, 1)}`),
        fact(many(level.items, "item"))))),
  ];
}

async function level(at) {
  const answer = await ask(`/codes/${at}?sort=size`);
  const used = answer.codes.filter((code) => code.size > 0);
  const unused = answer.total - used.length;
  const shown = rows(used.slice(0, PAGE).map((code) => codeRow(code, used[0].size)), "No code is used.");
  const more = element("button", { type: "button", text: `Show all ${number(used.length)} codes`,
    hidden: used.length <= PAGE,
    onclick: () => {
      shown.append(...used.slice(PAGE).map((code) => codeRow(code, used[0].size)));
      more.hidden = true;
    } });
  return [
    element("h3", { text: `Level ${at}` }),
    element("p", { class: "quiet", text: `${many(used.length, "code")} by size`
      + (unused ? `; ${number(unused)} without items` : "") }),
    shown, more,
  ];
}

async function code(at, which) {
  const detail = await ask(`/codes/${at}/${which}`);
  const children = detail.children.filter((child) => child.size > 0);
  return [
    element("h3", { text: `Code ${which} of level ${at}` }),
    element("p", { class: "quiet" }, `${many(detail.size, "item")}, seen `
      + `${many(detail.popularity, "time")} in training. `,
      ...(detail.parent === null ? [] : [`Belongs to level ${Number(at) + 1}: `,
        codeLink(Number(at) + 1, detail.parent)])),
    ...(Number(at) > 1 ? [element("h4", { text: `Its codes of level ${at - 1}` }),
      rows(children.map((child) => codeRow(child, children[0].size)), "None is used.")] : []),
    element("h4", { text: "Items" }),
    ...items(at, which),
    element("h4", { text: "Nearest codes" }),
    rows(detail.nearest.map((near) =>
      row(element("a", { href: `#/code/${at}/${near.code}`, text: `Code ${near.code}` }),
        fact(`distance ${near.distance.toFixed(2)}`), fact(many(near.size, "item")), examples(near))),
    "No other code is used."),
  ];
}

function items(at, which) {
  const list = element("ul", { class: "rows compact" });
  const note = element("p", { class: "quiet" });
  const more = element("button", { type: "button", text: "Show more", hidden: true });
  const sort = element("select", { "aria-label": "Order of the items" },
    element("option", { value: "popularity", text: "most popular first" }),
    element("option", { value: "closeness", text: "closest to the code first" }));
  let cursor = null;
  const fetchMore = async () => {
    try {
      const page = await ask(`/codes/${at}/${which}/items?limit=25&sort=${sort.value}`
        + (cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""));
      list.append(...page.items.map((item) => row(itemLink(item),
        fact(sort.value === "popularity" ? many(item.popularity, "time")
          : `distance ${item.distance.toFixed(2)}`))));
      cursor = page.next;
      more.hidden = cursor === null;
      note.textContent = page.total ? `${number(list.children.length)} of ${number(page.total)}`
        : "No item has this code.";
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

async function item(id, add) {
  const detail = await ask(`/items/${encodeURIComponent(id)}`);
  return [
    element("h3", { text: named(detail) }),
    element("p", { class: "quiet", text: [`id ${detail.item}`,
      `seen ${many(detail.popularity, "time")} in training`,
      ...(detail.categories?.length ? [`true categories: ${detail.categories.join(", ")}`] : [])]
      .join(" · ") }),
    element("p", {}, ...(detail.codes.length ? ["Codes, fine to coarse: "] : ["It has no codes."]),
      ...detail.codes.flatMap((each, at) => [codeLink(at + 1, each), " "])),
    element("button", { type: "button", text: "Add to the list", onclick: () => add(detail) }),
    element("h4", { text: "Most similar items" }),
    rows(detail.similar.map((other) => row(itemLink(other), bar(Math.max(0, other.similarity)),
      fact(`cosine ${other.similarity.toFixed(2)}`))), "There are none.", "rows compact"),
  ];
}

const TRAILS = {
  level: (at) => [[`#/level/${at}`, `Level ${at}`]],
  code: (at, which) => [[`#/level/${at}`, `Level ${at}`], [`#/code/${at}/${which}`, `Code ${which}`]],
  item: (id) => [[`#/item/${encodeURIComponent(id)}`, `Item ${id}`]],
};

export const trail = (kind, ...parts) => [["#/", "Levels"], ...(TRAILS[kind]?.(...parts) ?? [])];

export const view = (kind, add, ...parts) =>
  ({ level, code, item: (id) => item(id, add) }[kind] ?? levels)(...parts);
