// How the names of the API read to a person.

export const TASK_WORDS = {
  list_completion: { text: "Completing lists", metric: "ndcg_at_10" },
  click_through: { text: "Scoring clicks", metric: "user_auc" },
  collaborative_filtering: { text: "Recommending to users", metric: "ndcg_at_10" },
};

const METRICS = [
  [/^ndcg_at_full_ideal_(\d+)$/, "NDCG@$1, ideal over all"],
  [/^sampled_99_ndcg_at_(\d+)$/, "NDCG@$1 of 99 sampled"],
  [/^sampled_99_hit_at_(\d+)$/, "Hit rate@$1 of 99 sampled"],
  [/^ndcg_at_(\d+)/, "NDCG@$1"],
  [/^hit_at_(\d+)/, "Hit rate@$1"],
  [/^user_auc/, "AUC within a user"],
  [/^auc/, "AUC"],
  [/^codes_used_level_(\d+)$/, "Codes used, level $1"],
  [/^perplexity_level_(\d+)$/, "Perplexity, level $1"],
  [/^user_codes_used_level_(\d+)$/, "User codes used, level $1"],
  [/^user_perplexity_level_(\d+)$/, "User perplexity, level $1"],
];

const plain = (name) => {
  const text = name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

export function metricName(name) {
  const bare = name.replace(/^valid_/, "");
  const [pattern, words] = METRICS.find(([each]) => each.test(bare)) ?? [];
  const text = pattern ? bare.replace(pattern, words).replaceAll("_", " ") : plain(bare);
  return bare === name ? text : `${text} (validation)`;
}

// A part of a manifest's metrics: a split of the model's, or a baseline on the test data.
export const sourceName = (source) => ({ test: "This model", valid: "This model, validation" })[source]
  ?? plain(source.replace(/^test_/, ""));

export const taskText = (task) => TASK_WORDS[task]?.text ?? plain(task);

export const higherIsBetter = (name) => !/loss|error/.test(name);

export const moment = (text) =>
  new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

export function duration(from, to) {
  const seconds = Math.max(0, Math.round((new Date(to) - new Date(from)) / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
