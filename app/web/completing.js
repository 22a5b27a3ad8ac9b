// The panel that completes a list.

import { basket } from "./basket.js";
import { combobox } from "./combo.js";
import { codeLink, element, entryLink, many, named, quiet } from "./dom.js";
import { asking, howMany, searchField } from "./panel.js";

// `scope` gives the scope of the model for lists. Gives the panel, and what puts an item into the list.
export function completing(scope) {
  const search = searchField("add", "Add an item", "Title or id");
  const list = basket("Your list", "Your list is empty: add items above, or complete it as it is to "
    + "see the most popular.", search.input, scope);
  const count = howMany("k", "How many");

  const source = (answer, known, coded) => {
    if (answer.source !== "model") {
      return "The most popular items: the model knows none of your list, so popularity answered.";
    }
    const unknown = answer.unknown_items.length;
    return `Chosen by the model ${answer.model}`
      + (known && coded ? ". Beside each code: how many of your items share it" : "")
      + (unknown ? `; it does not know ${many(unknown, "of your items", "of your items")}` : "") + ".";
  };

  const row = (answer, item, known) => element("li", {},
    element("div", { class: "row-head" }, entryLink(scope(), item),
      element("button", { type: "button", text: "Add", "aria-label": `Add ${named(item)}`,
        onclick: () => list.add(item) })),
    element("span", { class: "quiet", text: answer.source === "model"
      ? `score ${item.score.toFixed(2)}` : many(item.score, "time") }),
    ...(item.codes ?? []).map((code, place) => element("span", { class: "quiet shared" },
      codeLink(scope(), place + 1, code), known ? ` ${item.shared_codes[place + 1]} of ${known}` : "")));

  const completed = (answer, { items }) => {
    if (!answer.items.length) return [quiet("Nothing is left to give.")];
    const known = items.length - answer.unknown_items.length;
    return [element("h4", { text: "It goes on with" }),
      element("p", { class: "quiet source", "data-source": answer.source, 
        text: source(answer, known, answer.items.some((item) => item.codes?.length)) }),
      element("ol", { class: "rows" }, ...answer.items.map((item) => row(answer, item, known)))];
  };

  const panel = asking("Complete", "/complete-list", { id: "completing", waiting: "Completing…",
    fields: [search.node, ...list.nodes],
    buttons: [...count.nodes, element("button", { type: "button", text: "Clear", onclick: () => {
      panel.answer.replaceChildren();
      list.clear();
    } })],
    make: () => ({ items: list.ids(), k: count.input.valueAsNumber, explain: true }),
    show: completed });

  combobox(search.input, scope, list.add);
  return { add: list.add, node: panel.nodes("Complete a list",
    "Put items together; the model says what goes on with them.") };
}
