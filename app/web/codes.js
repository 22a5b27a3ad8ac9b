// The codes of a scope: the tree of all levels, and a line for each level.

import { ask, element, number, quiet } from "./dom.js";
import { useTable } from "./measures.js";
import { section } from "./rows.js";
import { address, codesCall } from "./scopes.js";
import { find, icicle, isGroup, nameOf, treesOf } from "./tree.js";

const treePanel = (scope, trees, start, signal) => {
  const path = element("nav", { class: "trail", "aria-label": "Where you are in the tree" });
  const showPath = (root) => {
    const steps = [];
    for (let node = root; node; node = node.above) steps.unshift(node);
    path.replaceChildren(
      element("button", { type: "button", class: "link", text: "All codes", onclick: () => tree.go(null) }),
      ...steps.flatMap((node) => [" › ", element("button", { type: "button", class: "link",
        text: nameOf(node), onclick: () => tree.go(node) })]),
      ...(root && !isGroup(root) ? [" · ", element("a", { text: "open this code",
        href: address(scope, "code", root.level, root.code) })] : []));
  };
  const tree = icicle(scope, trees, start ? find(trees, ...start) : null, signal, (root) => {
    // no hashchange: the tree has moved already, and the keyboard stays in it
    const code = root && isGroup(root) ? root.above : root;
    history.pushState(null, "", address(scope, "codes", ...(code ? [code.level, code.code] : [])));
    showPath(root);
  });
  showPath(start ? find(trees, ...start) : null);
  return section("From coarse to fine",
    quiet(`Each box is a code, as high as its share of the ${scope.entity}s, with the most popular of `
      + "them; coarse codes are at the left, small ones stand together. A click goes into a box, a click "
      + "on the first column out again; one of the finest codes opens."),
    path, tree.svg);
};

export async function view({ scope, parts, signal }) {
  const { levels } = await ask(codesCall(scope, ""));
  const head = element("h2", { text: `Codes of ${scope.entity}s` });
  if (!levels.length) {
    return [head, element("section", { class: "panel" }, element("p", { text: "This model learned no "
      + `categories of ${scope.entity}s: it was trained without COVE on them. It still answers.` }))];
  }
  const tree = await ask(codesCall(scope, "/tree"));
  const start = parts.length === 2 ? parts.map(Number) : null;
  return [
    head,
    quiet(`${number(levels[0].items ?? levels[0].users)} ${scope.entity}s of ${scope.model}. Level 1 is `
      + "the finest; each of its codes belongs to one code of the level above."),
    section("Levels", useTable(scope, levels, `Levels of ${scope.entity}s`)),
    treePanel(scope, treesOf(tree.levels), start, signal),
  ];
}
