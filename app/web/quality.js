// How good the codes are: measures against the true categories and the paper's Figure 5, the
// learned codes beside k-means codes and random ones.

import { ask, drawn, element, many, measure, number, percent, quiet } from "./dom.js";
import { section, table } from "./rows.js";
import { codesCall } from "./scopes.js";

const WIDTH = innerWidth < 700 ? 300 : 440;  // its words are not drawn smaller on a small screen
const HEIGHT = 260;
const EDGE = { left: 50, right: 12, top: 10, bottom: 44 };

const KINDS = {
  learned: { text: "learned", series: "series-0" },
  "k-means": { text: "k\u2011means", series: "series-1" },
  random: { text: "random", series: "series-2" },
};

const MEASURES = [
  ["purity", "Purity"], ["normalized_mutual_information", "Mutual information"],
  ["adjusted_rand_index", "Rand index, adjusted"], ["covered_by_a_tenth", "Covered by a tenth"],
];

// Numbers of codes for the marks of a logarithmic axis.
const marks = (size) => [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
  .filter((each) => each < size ** 0.9 && (size < 200 || !/^[25]/.test(each))).concat(size);

function axes(place, size) {
  return [
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
      drawn("line", { class: "grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: place.y(share), y2: place.y(share) }),
      drawn("text", { x: EDGE.left - 6, y: place.y(share) + 4, "text-anchor": "end", text: percent(share) })]),
    ...marks(size).map((count) => drawn("text", { x: place.x(count), y: HEIGHT - EDGE.bottom + 18,
      "text-anchor": "middle", text: number(count) })),
    drawn("text", { x: (WIDTH + EDGE.left) / 2, y: HEIGHT - 6, "text-anchor": "middle",
      text: "codes, the largest of it first" }),
  ];
}

const curve = (place, positions, shares, series, name) => drawn("g", { class: series },
  drawn("title", { text: name }),
  drawn("polyline", { points: positions.map((count, at) => `${place.x(count)},${place.y(shares[at])}`).join(" ") }));

// Figure 5 of one level: of all categories, or of one.
function figure(level, category) {
  const size = Math.max(2, level.size);
  const place = {
    x: (count) => EDGE.left + (WIDTH - EDGE.left - EDGE.right) * Math.log(count) / Math.log(size),
    y: (share) => EDGE.top + (HEIGHT - EDGE.top - EDGE.bottom) * (1 - share),
  };
  const of = (set) => (category ? set.coverage_of[category] : set.coverage);
  const what = category ? `“${category}”` : "a category (mean over all)";
  const title = `Share of ${what} covered by the first codes`;
  const tenth = Math.max(0, level.positions.findLastIndex((count) => count <= Math.max(1, level.size / 10)));
  const told = level.sets.map((set) => `${KINDS[set.codes].text} ${percent(of(set)[tenth])}`).join(", ");
  return element("figure", { class: "chart figure-5" }, element("figcaption", { text: title }),
    drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
      "aria-label": `${title}. By ${many(level.positions[tenth], "code")}: ${told}.` },
    ...axes(place, size),
    ...level.sets.map((set) => curve(place, level.positions, of(set), KINDS[set.codes].series, KINDS[set.codes].text))),
    element("ul", { class: "legend" }, ...level.sets.map((set) => element("li", { class: KINDS[set.codes].series },
      element("span", { class: "key", "aria-hidden": "true" }), KINDS[set.codes].text))),
    element("details", {}, element("summary", { text: "The numbers" }),
      table(`${title}, by number of codes`, [{ text: "Codes" },
        ...level.sets.map((set) => ({ text: KINDS[set.codes].text, kind: "number" }))],
      level.positions.map((count, at) => [number(count), ...level.sets.map((set) => percent(of(set)[at], 1))]))));
}

const measures = (level) => table(`Level ${level.level} against the true categories`,
  [{ text: "Codes" }, ...MEASURES.map(([, text]) => ({ text, kind: "number" }))],
  level.sets.map((set) => [KINDS[set.codes].text, ...MEASURES.map(([name]) => measure(set[name]))]));

// What the figures come to, in a sentence.
function verdict(level) {
  const of = (kind) => level.sets.find((set) => set.codes === kind)?.normalized_mutual_information;
  const [learned, random, kmeans] = [of("learned"), of("random"), of("k-means")];
  const times = (value, what) => (value > 0 ? [`${number(learned / value, 1)} × that of ${what} codes`] : []);
  const beside = [...times(random, "random"), ...times(kmeans, "k\u2011means")].join(", ");
  return beside && `Mutual information with the categories: ${beside}.`;
}

function levelSection(level, categories) {
  const box = element("div", {}, figure(level, null));
  const select = element("select", { id: `category-${level.level}` },
    element("option", { value: "", text: "all, the mean" }),
    ...Object.entries(categories).map(([name, count]) =>
      element("option", { value: name, text: `${name} (${number(count)})` })));
  select.addEventListener("change", () => box.replaceChildren(figure(level, select.value || null)));
  return section(`Level ${level.level}: ${many(level.size, "code")}`, quiet(verdict(level)),
    element("div", { class: "columns" }, measures(level), element("div", {},
      element("div", { class: "row" }, element("label", { for: select.id, text: "Category" }), select), box)));
}

export async function view({ scope, signal }) {
  const { quality, reason } = await ask(codesCall(scope, "/quality"), { signal });
  const head = element("h2", { text: "How good are the codes?" });
  if (!quality) {
    return [head, element("section", { class: "panel" }, element("p", { text: reason }),
      quiet("MovieLens-100K, toys and grocery_kg have true categories: a model trained on one of them "
        + "with --cove shows how far learned codes agree with what people call things."))];
  }
  return [
    element("div", { class: "intro" }, head,
      quiet(`Against the true categories of ${many(quality.entities, scope.entity)}, `
        + `${number(quality.num_categories)} in all; the model was never told them. Values are worth only beside `
        + "those of k-means and random codes of the same level: more codes give more by chance."),
      ...(reason ? [quiet(reason)] : [])),
    ...quality.levels.toReversed().map((level) => levelSection(level, quality.categories)),
    section("What is measured", element("ul", {},
      ...["Purity: the share of the items that are in the largest category of their code.",
        "Mutual information (normalised): how much a code says about the category, 0 to 1.",
        "Rand index, adjusted: how far pairs are together in codes as in categories; 0 is chance.",
        "Covered by a tenth: how much of a category lies in the tenth of the codes that hold most of it. "
          + "The curves show it for every number of codes; the steeper, the better (Figure 5 of the paper).",
        "It rises with uneven sizes too: random codes have the learned sizes, k\u2011means codes their own.",
        "An item of several categories counts in each by an equal share; in the curves whole in each.",
        quality.kmeans_of ? `k-means: as many clusters of ${quality.kmeans_of}. Random: the learned codes dealt out anew.`
          : "Random: the learned codes dealt out anew."]
        .map((text) => element("li", { text })))),
  ];
}
