// The key of a server that needs one: asked for once, kept until the tab is closed.

import { element } from "./dom.js";

let asking = null;

export const keyHeaders = () => {
  const key = sessionStorage.getItem("cove-key");
  return key ? { authorization: `Bearer ${key}` } : {};
};

// Whether a key was entered; calls that wait at the same time share one question.
export function enterKey() {
  asking ??= question(sessionStorage.getItem("cove-key") !== null).finally(() => { asking = null; });
  return asking;
}

const question = (wrong) => new Promise((resolve) => {
  const field = element("input", { type: "password", required: true, autocomplete: "off" });
  const dialog = element("dialog", { class: "key", "aria-labelledby": "key-title" },
    element("form", { method: "dialog" },
      element("h2", { id: "key-title", text: "This server needs a key" }),
      wrong ? element("p", { class: "error", role: "alert", text: "That was not its key." }) : null,
      element("label", {}, element("span", { text: "Key " }), field),
      element("div", { class: "row" },
        element("button", { class: "primary", text: "Use this key" }))));
  dialog.addEventListener("close", () => {
    if (field.value) sessionStorage.setItem("cove-key", field.value.trim());
    dialog.remove();
    resolve(field.value !== "");
  });
  document.body.append(dialog);
  dialog.showModal();
});
