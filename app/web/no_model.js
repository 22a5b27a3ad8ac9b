// What a page shows where no model is served: why, and the command that trains one.

import { ask, commandIn, element } from "./dom.js";

export async function noModel() {
  const error = await ask("/readyz").then(() => null, (failure) => failure);
  return element("section", { class: "panel" },
    element("h2", { text: error?.status === 0 ? "No answer" : "No model is served" }),
    ...commandIn(error?.message ?? "A model is being read."),
    element("p", { text: "This page fills itself once a model is there." }));
}
