// The tree of codes as an icicle that lies on its side: coarse codes at the left, fine ones at the
// right, each as high as the items that it has. Small codes stand together: a few hundred boxes are
// drawn, however many codes there are.

import { drawn, many } from "./dom.js";
import { address } from "./scopes.js";

const HEIGHT = 560;
const READABLE = 16;  // pixels: codes that are lower stand together in one box
const LETTER = 7.4;
const HUES = 8;
const NAMED = 5;  // codes of a group whose examples are named

// The columns of all levels, level 1 first, as trees: the largest code first, empty ones left out.
export function treesOf(levels) {
  let below = new Map();
  let codes = [];
  for (const { level, sizes, parents, examples, labels } of levels) {
    codes = sizes.map((size, code) => ({ level, code, size, label: labels[code], example: examples[code],
      parent: parents?.[code] ?? null, children: below.get(code) ?? [] }))
      .filter(({ size }) => size > 0)
      .sort((one, other) => other.size - one.size);
    codes.forEach((code) => code.children.forEach((child) => { child.above = code; }));
    below = Map.groupBy(codes, (code) => code.parent);
  }
  codes.forEach((code, at) => { code.hue = at % HUES; });
  return codes;
}

export const find = (trees, level, code) => {
  for (const tree of trees) {
    if (tree.level === level && tree.code === code) return tree;
    const found = find(tree.children, level, code);
    if (found) return found;
  }
  return null;
};

export const titleOf = (code) => code.label || `Code ${code.code}`;

const hueOf = (node) => (node.above ? hueOf(node.above) : node.hue);

export const isGroup = (node) => node.group !== undefined;

const keyOf = (node) => `${isGroup(node) ? "group" : "code"}-${node.level}-${node.code}`;

export const nameOf = (node) => (isGroup(node) ? many(node.group, "small code") : titleOf(node));

const words = (scope, node) => `${nameOf(node)}, level ${node.level}: ${many(node.size, scope.entity)}`
  + `, like ${node.example}`;

// Siblings that are too low to be read, put together until they are high enough.
function grouped(nodes, pixels) {
  const first = nodes.findIndex((node) => node.size * pixels < READABLE);
  if (first < 0 || nodes.length - first < 2) return nodes;
  const groups = [];
  let own = [];
  let size = 0;
  for (const node of nodes.slice(first)) {
    own.push(node);
    size += node.size;
    if (size * pixels >= READABLE) {
      groups.push({ own, size });
      [own, size] = [[], 0];
    }
  }
  if (own.length) groups.push({ own, size });
  return [...nodes.slice(0, first), ...groups.map((each) => (each.own.length === 1 ? each.own[0]
    : { ...each.own[0], group: each.own.length, size: each.size, children: each.own,
      example: each.own.slice(0, NAMED).map((node) => node.example).join(", ") }))];
}

// The boxes of nodes that share a height, and of all below them.
function boxes(nodes, column, top, height, found = []) {
  const pixels = height / nodes.reduce((sum, node) => sum + node.size, 0);
  for (const node of grouped(nodes, pixels)) {
    const share = node.size * pixels;
    found.push({ node, column, top, height: share });
    if (!isGroup(node) && node.children.length) boxes(node.children, column + 1, top, share, found);
    top += share;
  }
  return found;
}

function boxNode(scope, box, width, current) {
  const { node } = box;
  const text = `${nameOf(node)} · ${node.example}`;
  const room = Math.floor((width - 12) / LETTER);
  return drawn("g", { id: keyOf(node), role: "treeitem",
    "aria-level": box.column + 1, "aria-selected": String(node === current), "aria-label": words(scope, node),
    class: `box hue-${hueOf(node)} ${box.column % 2 ? "odd" : ""} ${isGroup(node) ? "group" : ""} `
      + (node === current ? "current" : "") },
  drawn("title", { text: words(scope, node) }),
  drawn("rect", { x: box.column * width + 1, y: box.top, width: width - 2,
    height: Math.max(0.5, box.height - (box.height > 4 ? 1 : 0)) }),
  box.height >= READABLE && room > 3 ? drawn("text", { x: box.column * width + 8,
    y: box.top + Math.min(box.height / 2, 40) + 4,
    text: text.length > room ? `${text.slice(0, room - 1)}…` : text }) : null);
}

const depth = (node) => 1 + (isGroup(node) ? -1 : 0)
  + node.children.reduce((deepest, child) => Math.max(deepest, depth(child)), 0);

// `zoomed` is told where a person goes; the finest codes lead to their page.
export function icicle(scope, trees, start, signal, zoomed) {
  const svg = drawn("svg", { class: "icicle", height: HEIGHT, role: "tree", tabindex: 0,
    "aria-label": "Tree of codes: arrow keys move, Enter goes into a code, Escape goes out" });
  let root = start;
  let shown = [];
  let current = null;

  const draw = () => {
    if (!svg.clientWidth) return;  // it has no place in the page
    const roots = !root ? trees : isGroup(root) ? root.children : [root];
    shown = boxes(roots, 0, 0, HEIGHT);
    current = shown.find(({ node }) => current && keyOf(node) === keyOf(current))?.node ?? shown[0]?.node;
    const width = svg.clientWidth / roots.reduce((most, each) => Math.max(most, depth(each)), 1);
    svg.replaceChildren(...shown.map((box) => boxNode(scope, box, width, current)));
    if (current) svg.setAttribute("aria-activedescendant", keyOf(current));
  };

  const go = (node) => {
    if (node && !node.children.length) {
      location.hash = address(scope, "code", node.level, node.code);
      return;
    }
    root = node;
    zoomed(root);
    draw();
  };

  // Grouping begins anew under each root, so a group is left for the code that holds it.
  const out = () => go(root.above ?? null);

  const step = (key) => {
    const column = shown.find(({ node }) => node === current).column;
    const siblings = shown.filter((box) => box.column === column).map(({ node }) => node);
    const at = siblings.indexOf(current);
    return { ArrowDown: siblings[at + 1], ArrowUp: siblings[at - 1],
      ArrowRight: isGroup(current) ? null : shown.find(({ node }) => node.above === current)?.node,
      ArrowLeft: shown.find(({ node }) => node === current.above)?.node }[key];
  };

  svg.addEventListener("click", (event) => {
    const box = event.target.closest(".box");
    const hit = box && shown.find(({ node }) => keyOf(node) === box.id)?.node;
    if (hit && hit === root) out();
    else if (hit) go(hit);
  });
  svg.addEventListener("keydown", (event) => {
    if (!current) return;
    if (event.key === "Enter" && current !== root) go(current);
    else if (event.key === "Escape" && root) out();
    else if (event.key.startsWith("Arrow")) {
      current = step(event.key) ?? current;
      draw();
    } else return;
    event.preventDefault();
  });
  const observer = new ResizeObserver(draw);  // also once when it gets its place in the page
  observer.observe(svg);
  signal.addEventListener("abort", () => observer.disconnect());
  return { svg, go };
}
