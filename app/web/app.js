// The page: which model is served, where one is in the categories, and the list to complete.

import { combobox } from "./combo.js";
import { ask, codeLink, element, failed, itemLink, many, named, number, post } from "./dom.js";
import { trail, view } from "./views.js";

const at = (id) => document.getElementById(id);
const chosen = [];
let served = null;
let turn = 0;

function parts() {
  try {
    return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];
  }
}

async function browse(moveFocus = false) {
  const [kind, ...rest] = parts();
  const mine = (turn += 1);
  const steps = trail(kind, ...rest);
  at("trail").replaceChildren(...steps.flatMap(([href, text], place) => {
    const last = place === steps.length - 1;
    return [place ? " › " : "", element("a", { href, text, "aria-current": last && "page" })];
  }));
  try {
    const nodes = await view(kind, add, ...rest);
    if (mine !== turn) return;
    at("view").replaceChildren(...nodes);
    if (moveFocus) {
      const heading = at("view").querySelector("h3") ?? at("browse-title");
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
      at("browse-title").scrollIntoView({ block: "nearest" });
    }
  } catch (error) {
    if (mine === turn) at("view").replaceChildren(failed(error));
  }
}

function add(item) {
  if (!chosen.some((each) => each.item === item.item)) chosen.push(item);
  showChosen();
}

function remove(item) {
  chosen.splice(chosen.indexOf(item), 1);
  showChosen();
  (at("chosen").querySelector("button") ?? at("add")).focus();
}

function showChosen() {
  at("chosen-empty").hidden = chosen.length > 0;
  at("chosen").replaceChildren(...chosen.map((item) =>
    element("li", {}, itemLink(item), element("button", { type: "button", text: "×",
      "aria-label": `Remove ${named(item)}`, onclick: () => remove(item) }))));
}

function completed(answer, total) {
  const source = answer.source === "model" ? `Chosen by the model ${answer.model}`
    : "The most popular items: the model knows none of your list";
  if (!answer.items.length) return [element("p", { class: "quiet", text: "Nothing is left to give." })];
  return [
    element("h3", { text: "It goes on with" }),
    element("p", { class: "quiet source", "data-source": answer.source, text: source
      + (total ? ". Beside each code: how many of your items share it." : ".") }),
    element("ol", { class: "rows" }, ...answer.items.map((item) => element("li", {},
      element("div", { class: "row-head" }, itemLink(item),
        element("button", { type: "button", text: "Add", "aria-label": `Add ${named(item)}`,
          onclick: () => add(item) })),
      element("span", { class: "quiet", text: answer.source === "model"
        ? `score ${item.score.toFixed(2)}` : many(item.score, "time") }),
      ...(item.codes ?? []).map((code, place) => element("span", { class: "quiet shared" },
        codeLink(place + 1, code), total ? ` ${item.shared_codes[place + 1]} of ${total}` : ""))))),
  ];
}

at("complete").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = at("complete").querySelector("[type=submit]");
  button.disabled = true;
  at("result").replaceChildren(element("p", { class: "quiet", text: "Completing…" }));
  try {
    const answer = await post("/complete-list",
      { items: chosen.map((each) => each.item), k: at("k").valueAsNumber, explain: true });
    at("result").replaceChildren(...completed(answer, chosen.length - answer.unknown_items.length));
  } catch (error) {
    at("result").replaceChildren(failed(error));
  }
  button.disabled = false;
});

at("clear").addEventListener("click", () => {
  chosen.length = 0;
  showChosen();
  at("result").replaceChildren();
  at("add").focus();
});

async function watch() {
  try {
    const { model } = await ask("/readyz");
    at("empty").hidden = true;
    at("content").hidden = false;
    if (model !== served) {
      served = model;
      at("model").textContent = `Model ${model}`;
      await browse();
    }
  } catch (error) {
    served = null;
    at("content").hidden = true;
    at("empty").hidden = false;
    at("model").textContent = "";
    at("empty-title").textContent = error.status === 503 ? "No model is served" : "No answer";
    const [sentence, command] = error.message.split(/(?<=train one with): /);
    at("empty-reason").replaceChildren(command ? `${sentence}:` : sentence,
      ...(command ? [element("pre", {}, element("code", { text: command }))] : []));
  }
  setTimeout(watch, 5000);
}

combobox(at("find"), (item) => { location.hash = `#/item/${encodeURIComponent(item.item)}`; });
combobox(at("add"), add);
addEventListener("hashchange", () => browse(true));
showChosen();
watch();
