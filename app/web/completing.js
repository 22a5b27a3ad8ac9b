// The panel that completes a list.

import { basket } from "./basket.js";
import { combobox } from "./combo.js";
import { codeLink, element, entryLink, failed, many, named, post } from "./dom.js";

const at = (id) => document.getElementById(id);

// `scope` gives the scope of the model for lists. Returns what puts an item into the list.
export function completing(scope) {
  const list = basket(at("chosen"), at("chosen-empty"), at("add"), scope);

  const completed = (answer, total) => {
    const source = answer.source === "model" ? `Chosen by the model ${answer.model}`
      : "The most popular items: the model knows none of your list";
    if (!answer.items.length) return [element("p", { class: "quiet", text: "Nothing is left to give." })];
    return [
      element("h3", { text: "It goes on with" }),
      element("p", { class: "quiet source", "data-source": answer.source, text: source
        + (total ? ". Beside each code: how many of your items share it." : ".") }),
      element("ol", { class: "rows" }, ...answer.items.map((item) => element("li", {},
        element("div", { class: "row-head" }, entryLink(scope(), item),
          element("button", { type: "button", text: "Add", "aria-label": `Add ${named(item)}`,
            onclick: () => list.add(item) })),
        element("span", { class: "quiet", text: answer.source === "model"
          ? `score ${item.score.toFixed(2)}` : many(item.score, "time") }),
        ...(item.codes ?? []).map((code, place) => element("span", { class: "quiet shared" },
          codeLink(scope(), place + 1, code),
          total ? ` ${item.shared_codes[place + 1]} of ${total}` : ""))))),
    ];
  };

  at("complete").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = at("complete").querySelector("[type=submit]");
    button.disabled = true;
    at("result").replaceChildren(element("p", { class: "quiet", text: "Completing…" }));
    try {
      const items = list.ids();
      const answer = await post("/complete-list", { items, k: at("k").valueAsNumber, explain: true });
      at("result").replaceChildren(...completed(answer, items.length - answer.unknown_items.length));
    } catch (error) {
      at("result").replaceChildren(failed(error));
    }
    button.disabled = false;
  });

  at("clear").addEventListener("click", () => {
    at("result").replaceChildren();
    list.clear();
  });

  combobox(at("add"), scope, list.add);
  return list.add;
}
