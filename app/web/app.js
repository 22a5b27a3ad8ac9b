// The page: which models are served, where one is in the categories, and what they can be asked.

import { combobox } from "./combo.js";
import { completing } from "./completing.js";
import { ask, element, failed, idOf } from "./dom.js";
import { recommending } from "./recommending.js";
import { address, scopesOf } from "./scopes.js";
import { scoring } from "./scoring.js";
import { trail, view } from "./views.js";

const at = (id) => document.getElementById(id);
let models = {};
let scopes = [];
let turn = 0;

function place() {
  let parts = [];
  try {
    parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch { /* an address that nobody can read is that of the levels */ }
  const scope = scopes.find((each) => each.name && each.name === parts[0]);
  return scope ? [scope, ...parts.slice(1)] : [scopes[0], ...parts];
}

const inModel = (model, entity) => () =>
  scopes.find((each) => each.model === models[model] && each.entity === entity);

// What a person can do with the item or user that is shown.
function offers(scope, entry) {
  const [text, act] = {
    [`item ${models.list_completion}`]: ["Add to the list", add],
    [`item ${models.click_through}`]: ["Add to the items to score", panel.add],
    [`user ${models.click_through}`]: ["Score clicks of this user", panel.chooseUser],
    [`user ${models.collaborative_filtering}`]: ["Recommend to this user", recommendTo],
  }[`${scope.entity} ${scope.model}`] ?? [];
  return text ? [element("button", { type: "button", text, onclick: () => act(entry) })] : [];
}

async function browse(moveFocus = false) {
  const [scope, kind, ...rest] = place();
  const mine = (turn += 1);
  const focused = document.activeElement;
  const steps = trail(scope, kind, ...rest);
  at("trail").replaceChildren(...steps.flatMap(([href, text], step) => {
    const last = step === steps.length - 1;
    return [step ? " › " : "", element("a", { href, text, "aria-current": last && "page" })];
  }));
  at("scopes").hidden = scopes.length < 2;
  at("scopes").replaceChildren(...scopes.map((each) => element("a", { href: address(each),
    text: each.label, "aria-current": each === scope && "true" })));
  at("find-label").textContent = scope.entity === "user" ? "Find a user" : "Find an item";
  at("find").placeholder = scope.entity === "user" ? "Id" : "Title or id";
  try {
    const nodes = await view(scope, kind, offers, ...rest);
    if (mine !== turn) return;
    at("view").replaceChildren(...nodes);
    // whoever went on to another field, or has begun to type, while the answer was on its way stays
    const active = document.activeElement;
    if (moveFocus && [focused, document.body].includes(active) && !active.value) {
      const heading = at("view").querySelector("h3") ?? at("browse-title");
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
      at("browse-title").scrollIntoView({ block: "nearest" });
    }
  } catch (error) {
    if (mine === turn) at("view").replaceChildren(failed(error));
  }
}

function showEmpty(error) {
  models = {};
  at("content").hidden = true;
  at("empty").hidden = false;
  at("model").textContent = "";
  at("empty-title").textContent = error.status === 503 ? "No model is served" : "No answer";
  const [sentence, command] = error.message.split(/(?<=train one with): /);
  at("empty-reason").replaceChildren(command ? `${sentence}:` : sentence,
    ...(command ? [element("pre", {}, element("code", { text: command }))] : []));
}

async function watch() {
  try {
    const ready = await ask("/readyz");
    at("empty").hidden = true;
    at("content").hidden = false;
    at("problems").hidden = !ready.problems;
    at("problems").textContent = Object.values(ready.problems ?? {}).join(" ");
    if (JSON.stringify(ready.models) !== JSON.stringify(models)) {
      models = ready.models;
      scopes = scopesOf(models);
      at("model").textContent = `${Object.keys(models).length > 1 ? "Models" : "Model"} `
        + Object.values(models).join(" and ");
      at("completing").hidden = !models.list_completion;
      at("scoring").hidden = !models.click_through;
      at("recommending").hidden = !models.collaborative_filtering;
      await browse();
    }
  } catch (error) {
    showEmpty(error);
  }
  setTimeout(watch, 5000);
}

const add = completing(inModel("list_completion", "item"));
const panel = scoring(inModel("click_through", "item"), inModel("click_through", "user"));
const recommendTo = recommending(inModel("collaborative_filtering", "item"),
  inModel("collaborative_filtering", "user"));
combobox(at("find"), () => place()[0], (entry) => {
  const [scope] = place();
  location.hash = address(scope, scope.entity, idOf(entry));
});
addEventListener("hashchange", () => scopes.length && browse(true));
watch();
