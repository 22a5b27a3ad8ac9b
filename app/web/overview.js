// The first page: what is served, how good it is, what its codes are, what was trained lately.

import { ask, element, failed, quiet } from "./dom.js";
import { codeUse, headline } from "./measures.js";
import { noModel } from "./no_model.js";
import { runsTable } from "./runs_table.js";
import { address } from "./scopes.js";
import { moment, taskText } from "./words.js";

const LATEST = 5;

const STEPS = [
  ["codes", "Browse the codes", "the categories, coarse to fine"],
  ["map", "See the map", "every item as a point, by its code"],
  ["items", "Look up an item", "its codes, and what is most like it"],
  ["try", "Try it", "ask the models, and see why each item came"],
];

async function card(context, task, id) {
  const [recommender] = id.split("-");
  const head = element("h3", {}, element("a", { href: address(null, "model", id), text: taskText(task) }));
  try {
    const model = await ask(`/models/${id}`);
    const scopeOf = (entity) => context.scopes.find((scope) => scope.model === id && scope.entity === entity);
    return element("section", { class: "panel" }, head,
      quiet(`${model.recommender} on ${model.data_name}, ${moment(model.created_at)}`),
      headline(task, model.metrics), ...codeUse(model.manifest.code_use, scopeOf));
  } catch (error) {
    return element("section", { class: "panel" }, head, quiet(recommender), failed(error));
  }
}

async function latestRuns() {
  try {
    const { runs } = await ask(`/runs?limit=${LATEST}`);
    return runs.length ? [runsTable(runs, "Latest runs"),
      element("p", {}, element("a", { href: address(null, "runs"), text: "All runs" }))]
      : [quiet("No run is recorded here yet.")];
  } catch (error) {
    return [failed(error)];
  }
}

export async function view(context) {
  const served = Object.entries(context.models);
  const [cards, runs] = await Promise.all([
    Promise.all(served.map(([task, id]) => card(context, task, id))), latestRuns()]);
  return [
    element("div", { class: "intro" },
      element("h2", { text: "What was learned" }),
      element("p", { text: "COVE learns categories from ids alone: each item, and each user, has a "
        + "code on every level of a tree, fine to coarse. Level 1 is the finest." }),
      served.length ? element("ul", { class: "steps" }, ...STEPS.map(([name, text, what]) =>
        element("li", {}, element("a", { href: address(null, name), text }),
          element("span", { class: "quiet", text: what })))) : null),
    element("div", { class: "cards" }, ...(served.length ? cards : [await noModel()])),
    element("section", { class: "panel" }, element("h3", { text: "Latest runs" }), ...runs),
  ];
}
