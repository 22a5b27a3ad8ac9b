// The panel that scores a user's clicks.

import { basket } from "./basket.js";
import { combobox } from "./combo.js";
import { bar, codeLink, element, entryLink, failed, post } from "./dom.js";

const at = (id) => document.getElementById(id);

// `items` and `users` give the scopes of the model for clicks. Returns what puts an item among
// those to be scored, and what takes a user as theirs.
export function scoring(items, users) {
  const list = basket(at("candidates"), at("candidates-empty"), at("candidate"), items);

  const codes = (scope, given) => (given ?? []).map((code, place) =>
    element("span", { class: "quiet" }, codeLink(scope, place + 1, code)));

  const row = (item) => element("li", {},
    element("div", { class: "row-head" }, entryLink(items(), item)),
    bar(item.probability),
    element("span", { text: `${(100 * item.probability).toFixed(1)} %` }),
    ...(item.known ? codes(items(), item.codes)
      : [element("span", { class: "quiet", text: "unknown: scored as the average item" })]));

  const scored = (answer) => [
    element("h3", { text: "How likely a click is" }),
    element("p", { class: "quiet source" },
      answer.known_user ? `By the model ${answer.model} for ` : "The model does not know the user "
        + `${answer.user}: scored as the average user.`,
      answer.known_user && entryLink(users(), { user: answer.user }), " ",
      ...codes(users(), answer.user_codes).flatMap((code) => [code, " "])),
    element("ol", { class: "rows" },
      ...answer.items.toSorted((one, other) => other.probability - one.probability).map(row)),
  ];

  at("score").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = at("score").querySelector("[type=submit]");
    const ids = list.ids();
    if (!ids.length) {
      at("scores").replaceChildren(failed(new Error("Add an item to be scored first.")));
      at("candidate").focus();
      return;
    }
    button.disabled = true;
    at("scores").replaceChildren(element("p", { class: "quiet", text: "Scoring…" }));
    try {
      const answer = await post("/score-clicks",
        { user: at("user").value.trim(), items: ids, explain: true });
      at("scores").replaceChildren(...scored(answer));
    } catch (error) {
      at("scores").replaceChildren(failed(error));
    }
    button.disabled = false;
  });

  at("clear-scores").addEventListener("click", () => {
    at("scores").replaceChildren();
    list.clear();
  });

  const chooseUser = ({ user }) => {
    at("user").value = user;
    at("candidate").focus();
  };
  combobox(at("user"), users, chooseUser);
  combobox(at("candidate"), items, list.add);
  return { add: list.add, chooseUser };
}
