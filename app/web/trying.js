// The page that asks the models. Its panels are made once: what a person has put into them stays
// while other pages are looked at.

import { element, quiet } from "./dom.js";
import { completing } from "./completing.js";
import { recommending } from "./recommending.js";
import { address } from "./scopes.js";
import { scoring } from "./scoring.js";

let context = null;
let panels = null;

const inModel = (task, entity) => () =>
  context.scopes.find((scope) => scope.task === task && scope.entity === entity);

function panelsOf(current) {
  context = current;
  panels ??= {
    list_completion: completing(inModel("list_completion", "item")),
    click_through: scoring(inModel("click_through", "item"), inModel("click_through", "user")),
    collaborative_filtering: recommending(inModel("collaborative_filtering", "item"),
      inModel("collaborative_filtering", "user")),
  };
  return panels;
}

// What a person can do with the item or user that is shown.
export function offers(current, entry) {
  const { scope } = current;
  const panel = panelsOf(current)[scope.task];
  const note = element("span", { class: "quiet", role: "status" });
  const kept = () => note.replaceChildren("Added. ",
    element("a", { href: address(null, "try"), text: "Go on in “Try it”" }));
  const [text, act] = {
    "item list_completion": ["Add to the list", () => { panel.add(entry); kept(); }],
    "item click_through": ["Add to the items to score", () => { panel.add(entry); kept(); }],
    "user click_through": ["Score clicks of this user", () => go(panel, entry)],
    "user collaborative_filtering": ["Recommend to this user", () => go(panel, entry)],
  }[`${scope.entity} ${scope.task}`] ?? [];
  return text ? [element("button", { type: "button", text, onclick: act }), note] : [];
}

// The user is taken, and what comes next has the focus when the page is there.
function go(panel, entry) {
  panel.chooseUser(entry).dataset.focus = "";
  location.hash = address(null, "try");
}

export async function view(current) {
  const shown = Object.entries(panelsOf(current)).filter(([task]) => current.models[task]);
  return [
    element("h2", { text: "Try it" }),
    quiet("Ask the served models as an application does. Each answer comes with the call that it made."),
    element("div", { class: "cards" }, ...shown.map(([, panel]) => panel.node)),
  ];
}
