// The items that a person has put together, as chips that can be removed.

import { element, entryLink, idOf, named, quiet } from "./dom.js";

export function basket(label, whenEmpty, input, scope) {
  const chosen = [];
  const list = element("ul", { class: "chips", "aria-label": label });
  const empty = quiet(whenEmpty);

  const show = () => {
    empty.hidden = chosen.length > 0;
    list.replaceChildren(...chosen.map((item) =>
      element("li", {}, entryLink(scope(), item), element("button", { type: "button", text: "×",
        "aria-label": `Remove ${named(item)}`, onclick: () => remove(item) }))));
  };

  const add = (item) => {
    if (!chosen.some((each) => idOf(each) === idOf(item))) chosen.push(item);
    show();
  };

  const remove = (item) => {
    chosen.splice(chosen.indexOf(item), 1);
    show();
    (list.querySelector("button") ?? input).focus();
  };

  const clear = () => {
    chosen.length = 0;
    show();
    input.focus();
  };

  show();
  return { add, clear, ids: () => chosen.map(idOf), nodes: [list, empty] };
}
