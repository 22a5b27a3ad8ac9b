// Two models side by side: their measures, the use of their codes, and how far they agree.

import { ask, change, element, failed, measure, number, percent, quiet } from "./dom.js";
import { codeUse } from "./measures.js";
import { facts, section, table, trail } from "./rows.js";
import { address } from "./scopes.js";
import { higherIsBetter, metricName } from "./words.js";

const modelLink = (id) => element("a", { href: address(null, "model", id), text: id });

const metricTable = (one, other) => {
  const [first, second] = [one.metrics.test ?? {}, other.metrics.test ?? {}];
  const names = Object.keys(first).filter((name) => name in second).sort();
  if (!names.length) return quiet("They have no metric in common.");
  const cell = (name, value, beside) => {
    const better = higherIsBetter(name) ? value > beside : value < beside;
    return element(better ? "strong" : "span", { text: measure(value) });
  };
  return table("Metrics on the test data", [{ text: "Metric" }, { text: one.id, kind: "number" },
    { text: other.id, kind: "number" }, { text: "Difference", kind: "number" }],
  names.map((name) => [metricName(name), cell(name, first[name], second[name]),
    cell(name, second[name], first[name]),
    `${second[name] < first[name] ? "−" : "+"}${measure(Math.abs(second[name] - first[name]))}`]));
};

const agreement = (found) => facts([
  ["Calls put to both", number(found.calls)], ["Not answered by it", number(found.failed)],
  ...(found.overlap === null ? [] : [["Of the first ten in common", percent(found.overlap)]]),
  ...(found.same_first === null ? [] : [["Same first item", percent(found.same_first)]]),
]);

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
  const candidate = [other, one].find((model) => !model.active);
  return [
    trail([address(null, "models"), "Models"], [address(null, "compare", first, second), "Two models"]),
    element("h2", { text: "Two models" }),
    element("p", {}, modelLink(one.id), " beside ", modelLink(other.id)),
    section("Metrics", metricTable(one, other)),
    element("div", { class: "columns" }, ...[one, other].map((model) =>
      section(`Codes of ${model.id}`, ...codeUse(model.manifest.code_use, scopeOf(model))))),
    ...(candidate && one.task === other.task ? [shadow(candidate)] : []),
  ];
}
