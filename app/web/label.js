// The name that a person gives to a code; the admin key is asked for when it is needed.

import { change, element } from "./dom.js";
import { codesCall } from "./scopes.js";

const LONGEST = 200;

export function labelEditor(scope, detail, changed) {
  const field = element("input", { id: "label", maxlength: LONGEST, value: detail.label,
    placeholder: "A name for this code", autocomplete: "off" });
  const note = element("p", { role: "status" });
  let busy = false;

  const save = async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    note.className = "quiet";
    note.textContent = "Saving…";
    try {
      const answer = await change("PUT", codesCall(scope, `/${detail.level}/${detail.code}/label`),
        { label: field.value.trim() });
      note.textContent = answer.label ? "Saved." : "The name was taken away.";
      changed(answer);
    } catch (error) {
      note.className = "error";
      note.textContent = error.message;
    }
    busy = false;
  };

  return element("form", { class: "row label", onsubmit: save },
    element("label", { for: "label", text: "Name" }), field,
    element("button", { text: "Save the name" }), note);
}
