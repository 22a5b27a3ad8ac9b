// The panel that recommends items to a user.

import { combobox } from "./combo.js";
import { codeLink, element, entryLink, many, quiet } from "./dom.js";
import { codesIn } from "./measures.js";
import { asking, howMany, searchField, typedInto } from "./panel.js";

// `items` and `users` give the scopes of the model for recommendations. Gives the panel, and what
// takes a user as the one to recommend to; that gives what is to be used next.
export function recommending(items, users) {
  const who = searchField("reader", "Whom to recommend to", "Id", true);
  const count = howMany("count", "Number of items");

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
    return [`Chosen by the model ${answer.model} for `, entryLink(users(), { user: answer.user }),
      ...codesIn(users(), answer.user_codes).flatMap((code) => [" ", code]),
      ". ", answer.seen === "not_kept"
        ? "It does not keep what users have: some of it may be among these."
        : answer.items.some((item) => item.codes.length)
          ? "Beside each code: how many of the user's items share it." : ""];
  };

  const recommended = (answer) => answer.items.length ? [
    element("h4", { text: "Recommended" }),
    element("p", { class: "quiet source", "data-source": answer.source }, ...source(answer)),
    element("ol", { class: "rows" }, ...answer.items.map((item) => row(item, answer.known_user))),
  ] : [quiet("Nothing is left to give.")];

  const panel = asking("Recommend", "/recommend-items", { id: "recommending", waiting: "Recommending…",
    fields: [who.node], buttons: [...count.nodes, null],
    make: () => ({ user: typedInto(who), k: count.input.valueAsNumber, explain: true }),
    show: recommended });

  const chooseUser = ({ user }) => {
    who.input.value = user;
    return panel.submit;
  };
  combobox(who.input, users, (entry) => chooseUser(entry).focus(), true);
  return { chooseUser, node: panel.nodes("Recommend to a user",
    "What the user had in training is left out.") };
}
