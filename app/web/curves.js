// The learning curves of one run or of several: losses, metrics, use of codes.

import { ask, element } from "./dom.js";
import { lineChart } from "./chart.js";
import { metricName } from "./words.js";

export const metricsOf = async (id, signal) =>
  (await ask(`/runs/${encodeURIComponent(id)}/metrics`, { signal })).metrics;

const pointsOf = (metrics, name) => metrics.filter((each) => each.name === name)
  .map((each) => [each.epoch, each.value]).sort(([one], [other]) => one - other);

export const namesOf = (metrics) => [...new Set(metrics.map((each) => each.name))];

// What belongs into one chart, in the order of the charts.
const GROUPS = [
  ["Loss", /^loss$/],
  ["Losses of the codes", /^(quantization|code_prediction)_loss$/],
  ["NDCG, validation", /^valid_ndcg_at_\d+$/],
  ["Hit rate, validation", /^valid_hit_at_\d+$/],
  ["NDCG with the ideal over all, validation", /^valid_ndcg_at_full_ideal_\d+$/],
  ["Among 99 sampled, validation", /^valid_sampled_99_/],
  ["AUC, validation", /^valid_(user_)?auc/],
  ["Losses, validation", /^valid_(log_loss|calibration_error)$/],
  ["Share of codes in use", /codes_used_level_\d+$/],
  ["Perplexity of the codes", /perplexity_level_\d+$/],
  ["Codes revived", /^codes_revived$/],
  ["Seconds an epoch", /^seconds$/],
];

// The charts of a run; what is nought throughout says nothing and is left out.
export function curvesOf(metrics) {
  const telling = namesOf(metrics).filter((name) =>
    metrics.some((each) => each.name === name && each.value !== 0));
  const taken = new Set();
  const charts = GROUPS.map(([title, pattern]) => {
    const names = telling.filter((name) => pattern.test(name));
    names.forEach((name) => taken.add(name));
    return names.length ? lineChart(title, names.map((name) =>
      ({ name: metricName(name).replace(" (validation)", ""), points: pointsOf(metrics, name) }))) : null;
  }).filter(Boolean);
  const others = telling.filter((name) => !taken.has(name)).map((name) =>
    lineChart(metricName(name), [{ name: metricName(name), points: pointsOf(metrics, name) }]));
  return element("div", { class: "charts" }, ...charts, ...others);
}

// One metric of several runs: [{ name, href, metrics }].
export const comparison = (name, runs) => lineChart(metricName(name), runs.map((run) =>
  ({ name: run.name, href: run.href, points: pointsOf(run.metrics, name) })));
