// The runs: filters, a table that follows what is being trained, and several runs in one chart.

import { ask, element, failed, many, quiet } from "./dom.js";
import { comparison, metricsOf, namesOf } from "./curves.js";
import { section } from "./rows.js";
import { runsTable, shortId } from "./runs_table.js";
import { address } from "./scopes.js";
import { metricName, TASK_WORDS } from "./words.js";

const PAGE = 100;
const MOST = 1000; // runs of one answer
const POLL_MS = 4000;
const MOST_COMPARED = 8;
const STATES = ["queued", "running", "finished", "failed"];

const option = (value, text) => element("option", { value, text });

const matches = (run, text) => !text || [run.id, run.recommender, run.data_name, run.task]
  .some((each) => each.toLowerCase().includes(text));

// The chart of the runs that are chosen, with the metrics that any of them has.
function comparing(chosen, signal) {
  const chart = element("div");
  const choice = element("select", { id: "metric", onchange: () => draw() });
  const box = section("Compared", element("div", { class: "row" },
    element("label", { for: "metric", text: "Metric" }), choice), chart);
  let found = [];
  let turn = 0;

  const draw = () => chart.replaceChildren(comparison(choice.value, found.filter(({ metrics }) =>
    namesOf(metrics).includes(choice.value))));

  const show = async () => {
    const mine = (turn += 1);
    box.hidden = chosen.size === 0;
    if (box.hidden) return;
    try {
      const loaded = await Promise.all([...chosen.values()].map(async (run) => ({
        name: `${run.recommender} ${shortId(run)}`, href: address(null, "run", run.id), task: run.task,
        metrics: await metricsOf(run.id, signal) })));
      if (mine !== turn) return;
      found = loaded;
      const names = [...new Set(found.flatMap(({ metrics }) => namesOf(metrics)))];
      if (!names.length) return chart.replaceChildren(quiet("No epoch is done yet."));
      const preferred = `valid_${TASK_WORDS[found[0].task]?.metric}`;
      const wanted = [choice.value, preferred, "loss"].find((name) => names.includes(name)) ?? names[0];
      choice.replaceChildren(...names.map((name) => option(name, metricName(name))));
      choice.value = wanted;
      draw();
    } catch (error) {
      if (mine === turn && !signal.aborted) chart.replaceChildren(failed(error));
    }
  };

  box.hidden = true;
  return { box, show };
}

export async function view({ signal }) {
  const chosen = new Map();
  const compared = comparing(chosen, signal);
  const state = element("select", { id: "state", onchange: () => load() },
    option("", "any state"), ...STATES.map((each) => option(each, each)));
  const text = element("input", { id: "filter", type: "search", placeholder: "Recommender, data or id",
    oninput: () => draw() });
  const box = element("div");
  const note = element("p", { class: "quiet", role: "status" });
  const more = element("button", { type: "button", text: "Show older runs", onclick: () => load(runs.length) });
  let runs = [];
  let turn = 0;
  let loading = 0;
  let trouble = false;

  // the runs shown that are older than a full answer's last
  const olderThan = (answer, limit) => {
    const last = answer.length < limit ? -1 : runs.findIndex((run) => run.id === answer.at(-1).id);
    return last < 0 ? [] : runs.slice(last + 1);
  };

  const choose = (run) => element("input", { type: "checkbox", checked: chosen.has(run.id),
    "data-run": run.id, "aria-label": `Compare ${run.recommender} ${shortId(run)}`,
    onchange: ({ target }) => {
      if (!target.checked) chosen.delete(run.id);
      else if (chosen.size < MOST_COMPARED) chosen.set(run.id, run);
      else target.checked = false;
      compared.show();
    } });

  // what has the focus keeps it where the table is drawn anew
  const draw = () => {
    const found = runs.filter((run) => matches(run, text.value.trim().toLowerCase()));
    const focused = box.contains(document.activeElement) ? document.activeElement : null;
    const selector = focused?.dataset.run ? `[data-run="${focused.dataset.run}"]`
      : focused?.href && `a[href="${focused.getAttribute("href")}"]`;
    box.replaceChildren(found.length ? runsTable(found, "Runs", choose)
      : quiet(runs.length || state.value ? "No run fits the filters." : "No run is recorded here yet: train with "
        + "`cove train`, and its run appears as it goes."));
    if (selector) box.querySelector(selector)?.focus();
    note.textContent = found.length ? `${many(found.length, "run")}. Mark up to ${MOST_COMPARED} to compare them.` : "";
  };

  async function load(offset = 0, quietly = false) {
    if (quietly && loading) return;
    const mine = (turn += 1);
    const limit = Math.min(MOST, Math.max(PAGE, quietly ? runs.length : 0));
    const query = new URLSearchParams({ limit, offset });
    if (state.value) query.set("state", state.value);
    loading += 1;
    try {
      const answer = await ask(`/runs?${query}`, { signal });
      if (mine !== turn) return;
      const before = JSON.stringify(runs);
      if (offset) {
        const known = new Set(answer.runs.map((run) => run.id));
        runs = [...runs.filter((run) => !known.has(run.id)), ...answer.runs];
      } else {
        runs = [...answer.runs, ...(quietly ? olderThan(answer.runs, limit) : [])];
      }
      if (!quietly) more.hidden = answer.runs.length < PAGE;
      if (JSON.stringify(runs) !== before || !quietly || trouble) draw();
      trouble = false;
    } catch (error) {
      if (mine !== turn || signal.aborted) return;
      trouble = true;
      note.replaceChildren(failed(error));
    } finally {
      loading -= 1;
    }
  }

  const timer = setInterval(async () => {
    const alive = runs.some((run) => ["queued", "running"].includes(run.state));
    await load(0, true);
    if (alive && [...chosen.keys()].some((id) => runs.some((run) => run.id === id && !run.finished_at))) {
      compared.show();
    }
  }, POLL_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  await load();
  return [
    element("h2", { text: "Runs" }),
    quiet("Every training run, newest first; the table follows those that are being trained."),
    element("section", { class: "panel" },
      element("div", { class: "row" }, element("label", { for: "state", text: "State" }), state,
        element("label", { for: "filter", text: "Holding" }), text),
      box, element("div", { class: "row" }, more, note)),
    compared.box,
  ];
}
