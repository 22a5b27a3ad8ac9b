// Building blocks of the pages. All text goes through textContent, so a title is never markup.

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

export async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Failure(0, "The server does not answer. Is it still running?");
  }
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

export const named = (item) => item.title || `Item ${item.item}`;

export const itemLink = (item) =>
  element("a", { href: `#/item/${encodeURIComponent(item.item)}`, text: named(item) });

export const codeLink = (level, code) =>
  element("a", { class: "code", href: `#/code/${level}/${code}`, text: `${level}·${code}`,
    title: `Code ${code} of level ${level}` });

export const failed = (error) => element("p", { class: "error", role: "alert", text: error.message });
