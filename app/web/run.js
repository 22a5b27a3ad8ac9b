// One run: its state, its curves, which follow it while it trains, and its settings.

import { ask, element, failed, measure, number, quiet } from "./dom.js";
import { curvesOf, metricsOf } from "./curves.js";
import { settingsList } from "./measures.js";
import { facts, section, table, trail } from "./rows.js";
import { shortId, stateOf } from "./runs_table.js";
import { address } from "./scopes.js";
import { duration, metricName, moment, taskText } from "./words.js";

const POLL_MS = 3000;

const under = (run) => ["queued", "running"].includes(run.state);

const summary = (run) => facts([
  ["State", stateOf(run)], ["Task", taskText(run.task)], ["Data", run.data_name],
  ["Seed", String(run.seed)], ["Epochs done", number(run.epochs)], ["Began", moment(run.started_at)],
  [run.finished_at ? "Took" : "So far", duration(run.started_at, run.finished_at ?? run.heartbeat_at)],
  ...(run.model_id ? [["Model", element("a", { href: address(null, "model", run.model_id),
    text: run.model_id })]] : []),
  ...(run.reason ? [["Why it failed", element("span", { class: "error", text: run.reason })]] : []),
]);

const results = (run) => section("On the test data", table("Metrics on the test data",
  [{ text: "Metric" }, { text: "Value", kind: "number" }], Object.entries(run.metrics).sort()
    .map(([name, value]) => [metricName(name), measure(value)])));

export async function view({ parts: [id], signal, refresh }) {
  const path = `/runs/${encodeURIComponent(id)}`;
  let [run, metrics] = await Promise.all([ask(path), metricsOf(id)]);
  const state = element("div", {}, summary(run));
  const charts = element("div");
  const trouble = element("div");
  let drawnWith = -1;

  const draw = () => {
    state.replaceChildren(summary(run));
    // open tables of numbers stay open as long as no epoch ends
    if (metrics.length === drawnWith) return;
    drawnWith = metrics.length;
    charts.replaceChildren(metrics.length ? curvesOf(metrics)
      : quiet(under(run) ? "The first epoch is not done yet; the curves appear by themselves."
        : "No epoch was recorded."));
  };

  const follow = async () => {
    try {
      [run, metrics] = await Promise.all([ask(path, { signal }), metricsOf(id, signal)]);
      if (!under(run)) return refresh();
      trouble.replaceChildren();
      draw();
    } catch (error) {
      if (signal.aborted) return;
      trouble.replaceChildren(failed(error));
    }
    later();
  };
  const later = () => {
    const timer = setTimeout(follow, POLL_MS);
    signal.addEventListener("abort", () => clearTimeout(timer));
  };

  draw();
  if (under(run)) later();
  return [
    trail([address(null, "runs"), "Runs"], [address(null, "run", id), `${run.recommender} ${shortId(run)}`]),
    element("h2", { text: `${run.recommender} on ${run.data_name}` }),
    section(`Run ${run.id}`, state, trouble),
    section("Learning curves", charts),
    element("div", { class: "columns" }, section("Settings", settingsList(run.settings)),
      run.metrics ? results(run) : null),
  ];
}
