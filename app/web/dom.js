// Building blocks of the pages. All text goes through textContent, so a title is never markup.

import { enterKey, keyHeaders } from "./key.js";
import { address } from "./scopes.js";

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const element = (tag, properties = {}, ...children) =>
  filled(document.createElement(tag), properties, children);

export const drawn = (tag, properties = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

// What is missing is given as `what`.
export const unanswered = (what) =>
  Object.assign(new Failure(0, "The server does not answer. Is it still running?"), { what });

export class Failure extends Error {
  constructor(status, message, needsKey = false) {
    super(message);
    this.status = status;
    this.needsKey = needsKey;
  }
}

// JSON whose integers that a number cannot hold, as ids may be, stay the text that they are; null
// where it is none.
function parsed(text) {
  try {
    return JSON.parse(text, (_, value, context) =>
      Number.isInteger(value) && !Number.isSafeInteger(value) ? context?.source ?? value : value);
  } catch {
    return null;
  }
}

// The answer of a call; it fails with a Failure. Where the server needs a key, a person is asked.
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, ...keyHeaders() } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unanswered();
  }
  if (response.status === 401 && (await enterKey())) return ask(path, options);
  const isJson = response.headers.get("content-type")?.includes("json");
  const text = await response.text().catch(() => "");
  const body = isJson ? parsed(text) : text;
  if (!response.ok) {
    throw new Failure(response.status, body?.detail ?? response.statusText,
      response.headers.has("www-authenticate"));
  }
  return body;
}

const sending = (method, body) => ({ method, headers: { "content-type": "application/json" },
  body: body === undefined ? undefined : JSON.stringify(body) });

export const post = (path, body) => ask(path, sending("POST", body));

// A call that changes something: a person is asked for the admin key until it is right.
export async function change(method, path, body) {
  for (;;) {
    try {
      return await ask(path, sending(method, body));
    } catch (error) {
      if (error.status !== 403 || !error.needsKey) throw error;
      if (!(await enterKey("This needs the admin key", "The key of this tab may not change anything.")))
        throw error;
    }
  }
}

export const number = (value, digits = 0) =>
  Number(value).toLocaleString("en", { maximumFractionDigits: digits });

// A metric: four places, so that columns can be compared.
export const measure = (value) => Number(value).toFixed(4);

export const percent = (share, digits = 0) => `${number(100 * share, digits)} %`;

export const many = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;

// A row of the API is an item or a user, by the field that holds its id.
export const idOf = (entry) => entry.item ?? entry.user;

export const named = (entry) =>
  entry.title || (entry.item === undefined ? `User ${entry.user}` : `Item ${entry.item}`);

export const entryLink = (scope, entry) =>
  element("a", { href: address(scope, scope.entity, idOf(entry)), text: named(entry) });

export const codeLink = (scope, level, code, label) =>
  element("a", { class: "code", href: address(scope, "code", level, code),
    text: `${level}·${code}${label ? ` ${label}` : ""}`, title: `Code ${code} of level ${level}` });

export const bar = (share) =>
  element("meter", { min: 0, max: 1, value: share, "aria-hidden": "true" });

export const quiet = (text) => element("p", { class: "quiet", text });

export const failed = (error) => element("p", { class: "error", role: "alert", text: error.message });

// A sentence that ends with a command, the command by itself.
export function commandIn(message) {
  const [sentence, command] = message.split(/(?<=train one with): /);
  return [element("p", { text: command ? `${sentence}:` : sentence }),
    command ? element("pre", {}, element("code", { text: command })) : null].filter(Boolean);
}
