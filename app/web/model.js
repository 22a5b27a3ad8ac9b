// One model: how good it is beside the baselines, its codes, its settings, its card.

import { ask, element, quiet } from "./dom.js";
import { allMetrics, codeUse, headline, settingsList } from "./measures.js";
import { section, trail } from "./rows.js";
import { address } from "./scopes.js";
import { moment, taskText } from "./words.js";

export async function view({ scopes, parts: [id] }) {
  const [model, card] = await Promise.all([ask(`/models/${encodeURIComponent(id)}`),
    ask(`/models/${encodeURIComponent(id)}/card`)]);
  const { manifest } = model;
  const scopeOf = (entity) => scopes.find((scope) => scope.model === model.id && scope.entity === entity);
  return [
    trail([address(null, "models"), "Models"], [address(null, "model", id), model.id]),
    element("h2", { text: model.id }),
    quiet(`${taskText(model.task)}: ${model.recommender} on ${model.data_name}, made `
      + `${moment(model.created_at)}, seed ${manifest.seed}, ${manifest.epochs} epochs. `
      + (model.active ? "It is served." : "It is not served.")),
    model.run ? element("p", {}, element("a", { href: address(null, "run", model.run), text: "Its training run" })) : "",
    element("div", { class: "columns" },
      section("Beside the baselines", headline(model.task, model.metrics)),
      section("Its codes", ...codeUse(manifest.code_use, scopeOf))),
    section("Every metric", allMetrics(model.metrics)),
    element("div", { class: "columns" },
      section("Settings", settingsList({ ...manifest.settings, codes: manifest.quantizers,
        ...manifest.training })),
      section("Data", settingsList(manifest.counts))),
    section("Model card", element("pre", { tabindex: 0 }, element("code", { text: card }))),
  ];
}
