// Runs as a table; with `choose` each has a box to compare it.

import { element, measure, number } from "./dom.js";
import { table } from "./rows.js";
import { address } from "./scopes.js";
import { duration, metricName, moment, TASK_WORDS, taskText } from "./words.js";

const codes = ({ settings }) => {
  const sizes = [["items", settings.quantizer], ["users", settings.user_quantizer]]
    .filter(([, quantizer]) => quantizer)
    .map(([whose, quantizer]) => `${(quantizer.code_sizes ?? []).join(", ")} of ${whose}`);
  return sizes.join("; ") || "without";
};

const result = (run) => {
  const name = TASK_WORDS[run.task]?.metric;
  const value = run.metrics?.[name];
  return value === undefined ? "" : `${metricName(name)} ${measure(value)}`;
};

export const stateOf = (run) => element("span", { class: `state ${run.state}`, text: run.state });

export const shortId = (run) => run.id.slice(0, 8);

const COLUMNS = [{ text: "Run", kind: "tight" }, { text: "State" }, { text: "Task" }, { text: "Data" },
  { text: "Codes" }, { text: "Epochs", kind: "number" }, { text: "Test result", kind: "tight" },
  { text: "Began", kind: "tight" }, { text: "Took", kind: "tight" }];

export function runsTable(runs, caption, choose = null) {
  const columns = choose ? [COLUMNS[0], { text: "Compare" }, ...COLUMNS.slice(1)] : COLUMNS;
  return table(caption, columns, runs.map((run) => [
    element("a", { href: address(null, "run", run.id), text: `${run.recommender} ${shortId(run)}` }),
    ...(choose ? [choose(run)] : []), stateOf(run), taskText(run.task), run.data_name, codes(run), number(run.epochs), result(run),
    moment(run.started_at), duration(run.started_at, run.finished_at ?? run.heartbeat_at)]));
}
