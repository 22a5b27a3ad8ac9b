// The calls of the API: /openapi.json as text, with nothing from elsewhere.

import { ask, element } from "./dom.js";
import { section, table } from "./rows.js";

const HEADS = ["Name", "Kind", "What it is"];

const resolved = (schema, all) =>
  schema?.$ref ? all[schema.$ref.split("/").pop()] ?? {} : schema ?? {};

function kind(schema, all) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((each) => kind(each, all)).join(" | ");
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${kind(schema.items, all) || "any"}]`;
  return schema.type ?? "any";
}

const list = (caption, lines) => lines.length ? element("div", {}, element("h4", { text: caption }),
  table(caption, lines[0].map((_, at) => ({ text: HEADS[at] })), lines)) : null;

const fields = (schema, all) =>
  Object.entries(resolved(schema, all).properties ?? {}).map(([name, each]) =>
    [name, kind(each, all), [each.description,
      each.default === undefined ? "" : `default ${JSON.stringify(each.default)}`]
      .filter(Boolean).join("; ")]);

function call(path, method, operation, all) {
  const asked = operation.requestBody?.content?.["application/json"]?.schema;
  const example = resolved(asked, all).examples?.[0];
  const answers = Object.entries(operation.responses ?? {}).map(([status, each]) => {
    const [media, content] = Object.entries(each.content ?? {})[0] ?? ["", {}];
    return [status, kind(content.schema, all) || media, each.description];
  });
  return element("details", { class: "call", id: operation.operationId },
    element("summary", {}, element("span", { class: "method", text: method.toUpperCase() }),
      element("code", { text: path }), element("span", { class: "quiet", text: operation.description ?? "" })),
    list("Parameters", (operation.parameters ?? []).map((each) =>
      [each.name, kind(each.schema, all), each.description ?? each.schema.description
        ?? (each.schema.default === undefined ? "" : `default ${JSON.stringify(each.schema.default)}`)])),
    asked && list("Body", fields(asked, all)),
    example && element("pre", {}, element("code", { text: JSON.stringify(example) })),
    list("Answers", answers));
}

export async function view() {
  const schema = await ask("/openapi.json");
  const all = schema.components?.schemas ?? {};
  const calls = Object.entries(schema.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => call(path, method, operation, all)));
  const shapes = Object.entries(all).map(([name, each]) =>
    element("details", { class: "call" },
      element("summary", {}, element("code", { text: name }),
        element("span", { class: "quiet", text: each.description ?? "" })),
      list("Fields", fields(each, all))));
  return [
    element("h2", { text: "API" }),
    element("p", { class: "quiet" }, `${schema.info.description} `,
      element("a", { href: "/openapi.json", text: "openapi.json" })),
    section("Calls", ...calls), section("Shapes", ...shapes),
  ];
}
