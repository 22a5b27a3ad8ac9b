// The panel that scores a user's clicks.

import { basket } from "./basket.js";
import { combobox } from "./combo.js";
import { bar, element, entryLink, percent, quiet } from "./dom.js";
import { codesIn } from "./measures.js";
import { asking, searchField, typedInto } from "./panel.js";

// `items` and `users` give the scopes of the model for clicks. Gives the panel, what puts an item
// among those to be scored, and what takes a user as theirs; that gives what is to be used next.
export function scoring(items, users) {
  const who = searchField("user", "User", "Id", true);
  const what = searchField("candidate", "Item to score", "Title or id");
  const list = basket("Items to score", "No items yet: add some above.", what.input, items);

  const row = (item) => element("li", {}, element("div", { class: "row-head" }, entryLink(items(), item)),
    bar(item.probability), element("span", { text: percent(item.probability, 1) }),
    ...(item.known ? codesIn(items(), item.codes)
      : [element("span", { class: "quiet", text: "unknown: scored as the average item" })]));

  const scored = (answer) => [
    element("h4", { text: "How likely a click is" }),
    element("p", { class: "quiet source" }, ...(answer.known_user
      ? [`By the model ${answer.model} for `, entryLink(users(), { user: answer.user }),
        ...codesIn(users(), answer.user_codes).flatMap((code) => [" ", code])]
      : [`The model does not know the user ${answer.user}: scored as the average user.`])),
    element("ol", { class: "rows" },
      ...answer.items.toSorted((one, other) => other.probability - one.probability).map(row)),
  ];

  const panel = asking("Score", "/score-clicks", { id: "scoring", waiting: "Scoring…",
    fields: [who.node, what.node, ...list.nodes],
    buttons: [element("button", { type: "button", text: "Clear", onclick: () => {
      panel.answer.replaceChildren();
      list.clear();
    } })],
    make: () => {
      const user = typedInto(who);
      if (list.ids().length) return { user, items: list.ids(), explain: true };
      what.input.focus();
      throw new Error("Add an item to be scored first.");
    },
    show: scored });

  const chooseUser = ({ user }) => {
    who.input.value = user;
    return what.input;
  };
  combobox(who.input, users, (entry) => chooseUser(entry).focus(), true);
  combobox(what.input, items, list.add);
  return { add: list.add, chooseUser, node: panel.nodes("Score clicks",
    "For one user: how likely a click is on each item.") };
}
