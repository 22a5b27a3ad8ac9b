// A model's measures: its metrics beside the simple baselines, and the use of its codes.

import { bar, codeLink, element, measure, number, quiet } from "./dom.js";
import { facts, table } from "./rows.js";
import { address } from "./scopes.js";
import { metricName, sourceName, TASK_WORDS } from "./words.js";

// The sources of a manifest's metrics on the test data, the model first; validation is left out.
const tested = (metrics) => Object.entries(metrics).filter(([source]) => source !== "valid")
  .sort(([one], [other]) => (other === "test") - (one === "test"));

// The metric that a task is judged by, a bar for the model and one for each baseline.
export function headline(task, metrics) {
  const name = TASK_WORDS[task]?.metric;
  const found = tested(metrics).filter(([, values]) => values[name] !== undefined);
  if (!found.length) return quiet("No measure of it is recorded.");
  const largest = Math.max(...found.map(([, values]) => values[name]));
  return element("div", {}, element("h4", { text: `${metricName(name)} on data it was not trained on` }),
    element("ul", { class: "bars" }, ...found.map(([source, values]) =>
      element("li", { class: source === "test" ? "own" : null },
        element("span", { text: sourceName(source) }), bar(values[name] / largest),
        element("strong", { text: measure(values[name]) })))));
}

// Every metric of every source, a row each.
export function allMetrics(metrics) {
  const sources = [...tested(metrics), ...Object.entries(metrics).filter(([name]) => name === "valid")];
  const names = [...new Set(sources.flatMap(([, values]) => Object.keys(values)))].sort();
  const columns = [{ text: "Metric" },
    ...sources.map(([source]) => ({ text: sourceName(source), kind: "number" }))];
  return table("Metrics", columns, names.map((name) => [metricName(name),
    ...sources.map(([, values]) => values[name] === undefined ? "" : measure(values[name]))]));
}

const level = (scope, use) => [
  scope ? element("a", { href: address(scope, "level", use.level), text: `Level ${use.level}` })
    : `Level ${use.level}`,
  `${number(use.used)} of ${number(use.size)}`,
  element("span", { class: "measure" }, bar(use.perplexity / use.size), number(use.perplexity, 1))];

const USE_COLUMNS = [{ text: "Level", kind: "tight" }, { text: "Codes used", kind: "tight" },
  { text: "Perplexity", kind: "tight" }];

export const useTable = (scope, levels, caption) =>
  table(caption, USE_COLUMNS, levels.map((use) => level(scope, use)));

// How many codes of each level are in use, and how evenly (perplexity: as many evenly used codes); `scopeOf` gives an entity's scope.
export function codeUse(uses, scopeOf) {
  const learned = Object.entries(uses).filter(([, levels]) => levels.length);
  if (!learned.length) return [quiet("It learned no codes: it was trained without COVE.")];
  return learned.flatMap(([entity, levels]) => [
    element("h4", { text: `Codes of ${entity}s` }),
    useTable(scopeOf(entity), levels, `Codes of ${entity}s`)]);
}

export const codesIn = (scope, codes, labels = []) =>
  (codes ?? []).map((code, place) => codeLink(scope, place + 1, code, labels[place]));

// Settings, nested ones by their path; what is not set is left out.
export function settingsList(settings) {
  const found = [];
  const walk = (value, path) => {
    if (value === null || value === undefined) return;
    if (typeof value === "object" && !Array.isArray(value)) {
      Object.entries(value).forEach(([name, inner]) => walk(inner, [...path, name]));
    } else found.push([path.join(" › "), Array.isArray(value) ? value.join(", ") : String(value)]);
  };
  walk(settings, []);
  return found.length ? facts(found) : quiet("None are recorded.");
}
