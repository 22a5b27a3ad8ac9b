// The models: which are served, to compare two, to serve another one, to go back.

import { ask, change, element, failed, measure, quiet } from "./dom.js";
import { section, table } from "./rows.js";
import { address } from "./scopes.js";
import { metricName, moment, TASK_WORDS, taskText } from "./words.js";

const COLUMNS = [{ text: "Model", kind: "tight" }, { text: "Compare" }, { text: "Served" }, { text: "Data" },
  { text: "Made", kind: "tight" }, { text: "Test result", kind: "tight" }];

let changed = {};  // what the last change achieved, by task: it is said on the page that is drawn anew

const result = (model) => {
  const name = TASK_WORDS[model.task]?.metric;
  const value = model.metrics.test?.[name];
  return value === undefined ? "" : `${metricName(name)} ${measure(value)}`;
};

// A button whose call needs the admin key; why it failed stands in `note`.
const changing = (text, label, note, act) => {
  let busy = false;
  return element("button", { type: "button", text, "aria-label": label, onclick: async () => {
    if (busy) return;
    busy = true;
    try {
      await act();
    } catch (error) {
      note.replaceChildren(failed(error));
    }
    busy = false;
  } });
};

function taskSection(task, models, said, refresh) {
  const note = element("div", { role: "status" }, ...(said ? [quiet(said)] : []));
  const chosen = [];
  const compare = element("button", { type: "button", text: "Compare the two marked models",
    onclick: () => {
      if (chosen.length === 2) location.hash = address(null, "compare", ...chosen);
      else note.replaceChildren(quiet("Mark two models first."));
    } });
  const mark = (model) => element("input", { type: "checkbox", "aria-label": `Compare ${model.id}`,
    onchange: ({ target }) => {
      if (target.checked && chosen.length === 2) target.checked = false;
      else if (target.checked) chosen.push(model.id);
      else chosen.splice(chosen.indexOf(model.id), 1);
    } });
  const achieve = async (path, words) => {
    const served = await change("POST", path);
    changed = { [task]: `${served.id} ${words}.` };
    await refresh(true);
  };
  const serve = (model) => model.active ? element("strong", { text: "served" })
    : changing("Serve", `Serve ${model.id}`, note, () => achieve(`/models/${model.id}/activate`, "is served"));
  const back = changing("Back to the one before", null, note,
    () => achieve(`/models/rollback?task=${task}`, "is served again"));
  return section(taskText(task), table(`Models: ${taskText(task)}`, COLUMNS, models.map((model) => [
    element("a", { href: address(null, "model", model.id), text: model.id }),
    models.length > 1 ? mark(model) : "", serve(model), model.data_name, moment(model.created_at),
    result(model)])),
  element("div", { class: "row" }, ...(models.length > 1 ? [compare, back] : [])), note);
}

export async function view({ refresh }) {
  const { models } = await ask("/models");
  const said = changed;
  changed = {};
  const byTask = [...Map.groupBy(models, (model) => model.task)];
  return [
    element("h2", { text: "Models" }),
    quiet("Every trained model that this server knows, newest first. To serve another one needs the "
      + "admin key; no call is lost when it changes."),
    ...(byTask.length ? byTask.map(([task, own]) => taskSection(task, own, said[task], refresh))
      : [element("section", { class: "panel" }, quiet("There is no model yet: train one with "
        + "`cove train`, into the folder that this server serves."))]),
  ];
}
