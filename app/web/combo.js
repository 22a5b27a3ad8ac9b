// A search box with type-ahead over /items?search= or /users?search=: an ARIA combobox, usable by
// keyboard alone. `scope` gives whose items or users, `choose` is told what was taken; `free`: what
// is not found may be sent as it is.

import { ask, element, idOf, named } from "./dom.js";
import { call } from "./scopes.js";

const PAUSE_MS = 150;

export function combobox(input, scope, choose, free = false) {
  const list = element("ul", { class: "options", role: "listbox", id: `${input.id}-options`,
    hidden: true, "aria-label": "What was found" });
  input.after(list);
  for (const [name, value] of Object.entries({ role: "combobox", autocomplete: "off",
    "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": list.id })) {
    input.setAttribute(name, value);
  }
  let found = [];
  let current = -1;
  let timer = 0;
  let asked = 0;

  const close = () => {
    asked += 1;
    clearTimeout(timer);
    list.hidden = true;
    current = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const open = (...rows) => {
    list.replaceChildren(...rows);
    list.classList.toggle("nothing", !found.length);
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  };

  const mark = (position) => {
    current = position;
    [...list.children].forEach((row, at) => row.setAttribute("aria-selected", at === position));
    list.children[position]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", `${list.id}-${position}`);
  };

  const take = (item) => {
    input.value = "";
    close();
    choose(item);
  };

  const search = async () => {
    const text = input.value.trim();
    if (!text) return close();
    const turn = (asked += 1);
    try {
      const answer = await ask(call(scope(), `/${scope().entity}s`, { limit: 12, search: text }));
      if (turn !== asked) return;
      found = answer.items ?? answer.users;
    } catch (error) {
      if (turn !== asked) return;
      found = [];
      return open(element("li", { class: "error", role: "presentation", text: error.message }));
    }
    if (!found.length) {
      return open(element("li", { class: "quiet", role: "presentation",
        text: `Nothing holds “${text}”.` }));
    }
    open(...found.map((item, at) =>
      element("li", { role: "option", id: `${list.id}-${at}`, "aria-selected": "false",
        onmousedown: (event) => { event.preventDefault(); take(item); } },
      element("span", { text: named(item) }),
      element("small", { class: "quiet", text: item.title ? String(idOf(item)) : "" }))));
    mark(0);
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE_MS);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", async (event) => {
    if (event.key === "Escape") {
      if (!list.hidden) event.preventDefault();  // else the browser would empty the box
      return close();
    }
    if (event.key === "Enter" && input.value.trim()) {
      if (free && !list.hidden && !found.length) return close();
      event.preventDefault();
      if (list.hidden || current < 0) {
        clearTimeout(timer);
        await search();
      } else if (found[current]) take(found[current]);
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !list.hidden && found.length) {
      event.preventDefault();
      mark((current + step + found.length) % found.length);
    }
  });
}
