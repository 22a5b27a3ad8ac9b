// The keys of a server that needs some: asked for once, kept until the tab is closed.

import { element } from "./dom.js";

let asking = null;

export const keyHeaders = () => {
  const key = sessionStorage.getItem("cove-key");
  return key ? { authorization: `Bearer ${key}` } : {};
};

// Whether a key was entered; calls that wait at the same time share one question.
export function enterKey(title = "This server needs a key", refused = "That was not its key.") {
  asking ??= question(title, sessionStorage.getItem("cove-key") !== null && refused)
    .finally(() => { asking = null; });
  return asking;
}

const question = (title, refused) => new Promise((resolve) => {
  const field = element("input", { type: "password", required: true, autocomplete: "off",
    pattern: "\\s*[!-~]+\\s*", title: "letters, digits and signs of ASCII, without spaces" });
  const dialog = element("dialog", { class: "key", "aria-labelledby": "key-title" },
    element("form", { method: "dialog" },
      element("h2", { id: "key-title", text: title }),
      refused ? element("p", { class: "error", role: "alert", text: refused }) : null,
      element("label", {}, element("span", { text: "Key " }), field),
      element("div", { class: "row" },
        element("button", { class: "primary", text: "Use this key" }),
        element("button", { type: "button", text: "Cancel",
          onclick: () => { field.value = ""; dialog.close(); } }))));
  dialog.addEventListener("cancel", () => { field.value = ""; });
  dialog.addEventListener("close", () => {
    if (field.value) sessionStorage.setItem("cove-key", field.value.trim());
    dialog.remove();
    resolve(field.value !== "");
  });
  document.body.append(dialog);
  dialog.showModal();
});
