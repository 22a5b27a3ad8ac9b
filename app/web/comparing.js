// Two models side by side: their measures, the use of their codes, and how far they agree.

import { ask, change, codeLink, element, failed, many, measure, number, percent, quiet } from "./dom.js";
import { codeUse } from "./measures.js";
import { facts, section, table, trail } from "./rows.js";
import { address } from "./scopes.js";
import { higherIsBetter, metricName, taskText } from "./words.js";

const MOVES = 8;

const modelLink = (id) => element("a", { href: address(null, "model", id), text: id });

const about = (model) => [modelLink(model.id), ` (${taskText(model.task).toLowerCase()}, ${model.data_name})`];

const metricTable = (one, other, comparable) => {
  const [first, second] = [one.metrics.test ?? {}, other.metrics.test ?? {}];
  const names = Object.keys(first).filter((name) => name in second).sort();
  if (!names.length) return quiet("They have no metric in common.");
  const cell = (name, value, beside) => {
    const better = higherIsBetter(name) ? value > beside : value < beside;
    return element(comparable && better ? "strong" : "span", { text: measure(value) });
  };
  const difference = (name) =>
    `${second[name] < first[name] ? "−" : "+"}${measure(Math.abs(second[name] - first[name]))}`;
  return table("Metrics on the test data", [{ text: "Metric" }, { text: one.id, kind: "number" },
    { text: other.id, kind: "number" }, ...(comparable ? [{ text: "Difference", kind: "number" }] : [])],
  names.map((name) => [metricName(name), cell(name, first[name], second[name]),
    cell(name, second[name], first[name]), ...(comparable ? [difference(name)] : [])]));
};

const agreement = (found) => facts([
  ["Calls put to both", number(found.calls)], ["Not answered by it", number(found.failed)],
  ...(found.overlap === null ? [] : [["Of the first ten in common", percent(found.overlap)]]),
  ...(found.same_first === null ? [] : [["Same first item", percent(found.same_first)]]),
]);

const codeOf = (scope, level, code) => (scope ? codeLink(scope, level, code) : `${level}·${code}`);

const MOVE_COLUMNS = [{ text: "From" }, { text: "To" }, { text: "Matched with" },
  { text: "Moved", kind: "number" }];

// One level of both: how much stayed in matched codes, and the largest moves.
const levelDiff = (level, from, to) => [
  element("h4", { text: `Level ${level.level}` }),
  facts([["Codes", level.sizes.map((size) => number(size)).join(" and ")],
    ...(level.stayed === null ? [] : [["Stayed in matched codes", percent(level.stayed, 1)]]),
    ...(level.adjusted_rand_index === null ? []
      : [["Adjusted Rand index", measure(level.adjusted_rand_index)]])]),
  level.moves.length ? table(`Largest moves, level ${level.level}`, MOVE_COLUMNS, level.moves.map((move) => [
    codeOf(from, level.level, move.code), codeOf(to, level.level, move.other_code),
    move.matched_code === null ? "none" : codeOf(to, level.level, move.matched_code),
    number(move.entities)])) : quiet("None moved.")];

async function moved(one, other, entity, scopeOf) {
  try {
    // Where one of them has no codes, nothing moved, but their answers can be compared.
    const found = await ask(`/models/${one.id}/diff/${other.id}?entity=${entity}&moves=${MOVES}`);
    const shown = found.levels.length ? section(`How ${entity}s moved between codes`,
      quiet(`${many(found.in_both, entity)} are known to both. Codes are matched one to one, by the most `
        + `${entity}s in common; what went elsewhere has moved.`),
      ...found.levels.flatMap((level) => levelDiff(level, scopeOf(one)(entity), scopeOf(other)(entity)))) : "";
    return { shown, answers: found.answers };
  } catch (error) {
    return { shown: section(`How ${entity}s moved between codes`, failed(error)), answers: null };
  }
}

// What the one that is not served would have answered to the last calls.
function shadow(candidate) {
  const answer = element("div", { role: "status" });
  const compare = async () => {
    answer.replaceChildren(quiet("Asking…"));
    try {
      answer.replaceChildren(agreement(await change("POST", `/models/${candidate.id}/compare`)));
    } catch (error) {
      answer.replaceChildren(failed(error));
    }
  };
  return section("On the last calls", element("p", {}, "What ", modelLink(candidate.id),
    " would have answered to the last calls, beside the served model. Needs the admin key."),
  element("div", { class: "row" },
    element("button", { type: "button", text: "Put the last calls to it", onclick: compare })), answer);
}

export async function view({ scopes, parts: [first, second] }) {
  const [one, other] = await Promise.all([first, second].map((id) =>
    ask(`/models/${encodeURIComponent(id)}`)));
  const scopeOf = (model) => (entity) =>
    scopes.find((scope) => scope.model === model.id && scope.entity === entity);
  const comparable = one.task === other.task && one.data_name === other.data_name;
  const entities = !comparable ? [] : ["item", "user"].filter((entity) => entity === "item"
    || [one, other].every((model) => model.manifest.code_use[entity]?.length));
  const moves = await Promise.all(entities.map((entity) => moved(one, other, entity, scopeOf)));
  const answers = moves.find((each) => each.answers)?.answers;
  const candidate = [other, one].find((model) => !model.active);
  return [
    trail([address(null, "models"), "Models"], [address(null, "compare", first, second), "Two models"]),
    element("h2", { text: "Two models" }),
    element("p", {}, ...about(one), " beside ", ...about(other)),
    ...(comparable ? [] : [element("p", { class: "error", text: "They are of different data, or for "
      + "different tasks: their figures, codes and answers cannot be compared." })]),
    section("Metrics", metricTable(one, other, comparable)),
    element("div", { class: "columns" }, ...[one, other].map((model) =>
      section(`Codes of ${model.id}`, ...codeUse(model.manifest.code_use, scopeOf(model))))),
    ...moves.map(({ shown }) => shown),
    ...(answers ? [section("On sample calls", agreement(answers))] : []),
    ...(candidate && comparable ? [shadow(candidate)] : []),
  ];
}
