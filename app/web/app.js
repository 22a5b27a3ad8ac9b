// The shell: which page an address asks for, the navigation, and which models are served.

import { ask, element, failed, quiet, unanswered } from "./dom.js";
import { noModel } from "./no_model.js";
import { PAGES, placeOf } from "./pages.js";
import { address, scopesOf } from "./scopes.js";

const POLL_MS = 5000;

const at = (id) => document.getElementById(id);
let models = null;
let scopes = [];
let turn = 0;
let leaving = new AbortController();
let lacking = null;  // why the page could not be shown, where the server did not answer

const refresh = async (moveFocus = false) => {
  await look();
  await show(moveFocus);
};

// The links are made once: what has the focus keeps it.
const links = new Map(PAGES.filter((page) => page.text).map((page) => [page.name,
  element("a", { href: page.name === "overview" ? "#/" : address(null, page.name), text: page.text })]));
at("pages").append(...links.values());

function navigation(page) {
  const current = page?.under ?? page?.name;
  for (const [name, link] of links) {
    if (name === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = links.has(current) ? `${links.get(current).textContent} · COVE` : "COVE";
}

function scopeLinks(page, current) {
  const fitting = ["any", "item", "user"].includes(page?.of)
    ? scopes.filter((scope) => page.of === "any" || scope.entity === page.of) : [];
  at("scopes").hidden = fitting.length < 2;
  at("scopes").replaceChildren(...fitting.map((scope) => element("a", { text: scope.label,
    href: address(scope, page.under ?? page.name), "aria-current": scope === current && "true" })));
}

const panel = (title, ...nodes) => [element("section", { class: "panel" },
  element("h2", { text: title }), ...nodes)];

const toOverview = () => element("p", {}, element("a", { href: "#/", text: "To the overview" }));

async function nodesOf({ page, scope, parts, name }, signal) {
  if (!page) return panel("No such page", element("p", { text: `There is no page “${name}”.` }), toOverview());
  if (page.of && !scopes.length) return [await noModel()];
  if (page.of === "user" && !scope) {
    return panel("Users", element("p", { text: "No served model knows users: models for clicks and "
      + "for recommendations do." }), toOverview());
  }
  const { view } = await import(page.module).catch(() => { throw unanswered("module"); });
  return view({ scope, scopes, models, parts, signal, refresh });
}

async function show(moveFocus = false, news = null) {
  const place = placeOf(location.hash, scopes);
  const mine = (turn += 1);
  const focused = document.activeElement;
  leaving.abort();
  leaving = new AbortController();
  navigation(place.page);
  scopeLinks(place.page, place.scope);
  at("page").setAttribute("aria-busy", "true");
  let nodes;
  let trouble = null;
  try {
    nodes = await nodesOf(place, leaving.signal);
  } catch (error) {
    trouble = error;
    nodes = panel("This cannot be shown", failed(error), toOverview());
  }
  if (mine !== turn) return;
  lacking = trouble?.status === 0 ? trouble : null;
  at("page").replaceChildren(...(news ? [element("div", { role: "status" }, quiet(news))] : []), ...nodes);
  at("page").removeAttribute("aria-busy");
  if (moveFocus) giveFocus(focused);
}

// The heading, or what a page asks for (data-focus). Whoever went on to another field, or has begun to type, while the answer was on its way stays.
function giveFocus(focused) {
  const active = document.activeElement;
  if (![focused, document.body].includes(active) || active.value) return;
  const asked = at("page").querySelector("[data-focus]");
  if (asked) {
    delete asked.dataset.focus;
    asked.focus();
    return;
  }
  const heading = at("page").querySelector("h2");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
}

// Learn what is served now, and what is wrong with the server; whether other models are served.
async function look() {
  let found = {};
  let problems = "";
  try {
    const ready = await ask("/readyz");
    found = ready.models;
    problems = Object.values(ready.problems ?? {}).join(" ");
  } catch (error) {
    if (error.status === 0) problems = error.message;
  }
  at("problems").hidden = !problems;
  if (at("problems").textContent !== problems) at("problems").textContent = problems;
  // a server that is gone for a moment takes nothing away that is shown
  const gone = problems && !Object.keys(found).length && models;
  if (gone || JSON.stringify(found) === JSON.stringify(models)) return false;
  models = found;
  scopes = scopesOf(models);
  return true;
}

// A page is drawn anew where what it is about has changed: what was typed elsewhere stays.
async function watch() {
  const before = models && placeOf(location.hash, scopes);
  const others = await look();
  const { page, scope } = placeOf(location.hash, scopes);
  if (!before) await show();
  else if (others && (page?.served || page?.of === "all" || (page?.of && before.scope?.model !== scope?.model))) {
    await show(false, page.served ? null : "Another model is served now.");
  } else if (others) scopeLinks(page, scope);
  else if (lacking && at("problems").hidden) {
    // a module that could not be had is not asked for again by all browsers
    if (lacking.what === "module") location.reload();
    else await show();
  }
  setTimeout(watch, POLL_MS);
}

at("skip").addEventListener("click", (event) => {
  event.preventDefault();  // its address would be taken for a page
  at("main").focus();
});
addEventListener("hashchange", () => models && show(true));
watch();
