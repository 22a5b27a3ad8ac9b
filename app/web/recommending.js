// The panel that recommends items to a user.

import { combobox } from "./combo.js";
import { codeLink, element, entryLink, failed, many, post } from "./dom.js";

const at = (id) => document.getElementById(id);

// `items` and `users` give the scopes of the model for recommendations. Returns what takes a user
// as the one to recommend to.
export function recommending(items, users) {
  const near = (seen) => element("span", { class: "quiet" }, "close to ",
    ...seen.flatMap((each, place) => [place ? " · " : "", entryLink(items(), each)]));

  const row = (item, known) => element("li", {},
    element("div", { class: "row-head" }, entryLink(items(), item)),
    element("span", { class: "quiet", text: known ? `score ${item.score.toPrecision(3)}`
      : many(item.score, "interaction") }),
    ...item.codes.map((code, place) => element("span", { class: "quiet shared" },
      codeLink(items(), place + 1, code), known ? ` ${item.shared_codes[place + 1]} shared` : "")),
    item.nearest_seen.length ? near(item.nearest_seen) : null);

  const source = (answer) => {
    if (!answer.known_user) {
      return [`The model does not know the user ${answer.user}: the most popular items.`];
    }
    const codes = answer.user_codes.flatMap((code, place) => [" ", codeLink(users(), place + 1, code)]);
    return [`Chosen by the model ${answer.model} for `, entryLink(users(), { user: answer.user }),
      ...codes, ". ", answer.seen === "not_kept"
        ? "It does not keep what users have: some of it may be among these."
        : "Beside each code: how many of the user's items share it."];
  };

  const recommended = (answer) => answer.items.length ? [
    element("h3", { text: "Recommended" }),
    element("p", { class: "quiet source", "data-source": answer.source }, ...source(answer)),
    element("ol", { class: "rows" }, ...answer.items.map((item) => row(item, answer.known_user))),
  ] : [element("p", { class: "quiet", text: "Nothing is left to give." })];

  at("recommend").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = at("recommend").querySelector("[type=submit]");
    button.disabled = true;
    at("recommended").replaceChildren(element("p", { class: "quiet", text: "Recommending…" }));
    try {
      const answer = await post("/recommend-items",
        { user: at("reader").value.trim(), k: at("count").valueAsNumber, explain: true });
      at("recommended").replaceChildren(...recommended(answer));
    } catch (error) {
      at("recommended").replaceChildren(failed(error));
    }
    button.disabled = false;
  });

  const chooseUser = ({ user }) => {
    at("reader").value = user;
    at("recommend").querySelector("[type=submit]").focus();
  };
  combobox(at("reader"), users, chooseUser);
  return chooseUser;
}
