// What the panels that ask a model share: a form, its answer, and the call as it can be copied.

import { element, failed, post, quiet } from "./dom.js";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// A call as a command line.
export const curl = (path, body) => [`curl -s ${quoted(location.origin + path)}`,
  "-H 'Content-Type: application/json'",
  ...(sessionStorage.getItem("cove-key") ? ['-H "Authorization: Bearer $COVE_API_KEY"'] : []),
  `-d ${quoted(JSON.stringify(body))}`].join(" \\\n  ");

function copyable(path, body) {
  const text = curl(path, body);
  const code = element("code", { text });
  const note = element("span", { class: "quiet", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      note.textContent = "Copied.";
    } catch {  // only a page from this machine or over TLS may write to the clipboard
      getSelection().selectAllChildren(code);
      note.textContent = "Marked: copy it with the keyboard.";
    }
  };
  return element("div", { class: "curl" }, element("h4", { text: `The call: POST ${path}` }),
    element("pre", { tabindex: 0 }, code),
    element("div", { class: "row" },
      element("button", { type: "button", text: "Copy the call", onclick: copy }), note));
}

// `make` gives the body, or throws an Error that says what is missing; `show` the nodes of an answer.
export function asking(title, path, { id, fields, buttons = [], waiting, make, show }) {
  const answer = element("div", { class: "answer", "aria-live": "polite" });
  const submit = element("button", { class: "primary", text: title });
  let busy = false;

  const send = async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;  // and not `disabled`: that would take the focus away
    try {
      const body = make();
      answer.replaceChildren(quiet(waiting));
      const found = await post(path, body);
      answer.replaceChildren(...show(found, body), copyable(path, body));
    } catch (error) {
      answer.replaceChildren(failed(error));
    }
    busy = false;
  };

  const form = element("form", { onsubmit: send }, ...fields,
    element("div", { class: "row" }, ...buttons.slice(0, -1), submit, ...buttons.slice(-1)));
  return { answer, submit, form, nodes: (heading, what) => element("section", { id, class: "panel",
    "aria-labelledby": `${id}-title` }, element("h3", { id: `${id}-title`, text: heading }),
  quiet(what), form, answer) };
}

export const howMany = (id, text) => {
  const input = element("input", { id, type: "number", min: 1, max: 100, value: 10, required: true });
  return { input, nodes: [element("label", { for: id, text }), input] };
};

export function searchField(id, text, placeholder, required = false) {
  const input = element("input", { id, type: "search", placeholder, required });
  return { input, node: element("div", { class: "combo" }, element("label", { for: id, text }), input) };
}

// What stands in a required field; blanks are nothing.
export function typedInto({ input }) {
  const text = input.value.trim();
  if (text) return text;
  input.focus();
  throw new Error("Type or choose an id first.");
}
