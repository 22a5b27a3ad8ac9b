// Building blocks of the pages. All text goes through textContent, so a title is never markup.

import { enterKey, keyHeaders } from "./key.js";
import { address } from "./scopes.js";

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, ...keyHeaders() } });
  } catch {
    throw new Failure(0, "The server does not answer. Is it still running?");
  }
  if (response.status === 401 && (await enterKey())) return ask(path, options);
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Failure(response.status, body?.detail ?? response.statusText);
  return body;
}

export const post = (path, body) =>
  ask(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

export const number = (value, digits = 0) =>
  Number(value).toLocaleString("en", { maximumFractionDigits: digits });

export const many = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;

// A row of the API is an item or a user, by the field that holds its id.
export const idOf = (entry) => entry.item ?? entry.user;

export const named = (entry) =>
  entry.title || (entry.item === undefined ? `User ${entry.user}` : `Item ${entry.item}`);

export const entryLink = (scope, entry) =>
  element("a", { href: address(scope, scope.entity, idOf(entry)), text: named(entry) });

export const codeLink = (scope, level, code) =>
  element("a", { class: "code", href: address(scope, "code", level, code), text: `${level}·${code}`,
    title: `Code ${code} of level ${level}` });

export const bar = (share) =>
  element("meter", { min: 0, max: 1, value: share, "aria-hidden": "true" });

export const failed = (error) => element("p", { class: "error", role: "alert", text: error.message });
