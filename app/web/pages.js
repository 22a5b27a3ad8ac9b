// The pages. Each is one line here and one module, read when it is first asked for, whose
// `view(context)` gives the nodes to show. A context holds
//   scope, scopes   whose items or users are looked at (scopes.js), and all there are
//   models          the id of the model that is served for each task
//   parts           of the address, what follows the page's name
//   signal          aborted when the page is left
//   refresh(focus)  shows the page anew; with true its heading gets the focus
//
// text: its name in the navigation; under: the page that it belongs to there; of: a model must be
// served, and it is about "any" scope, those of an "item" or a "user", or "all" at once.

export const PAGES = [
  { name: "overview", text: "Overview", module: "./overview.js" },
  { name: "codes", text: "Codes", module: "./codes.js", of: "any" },
  { name: "level", under: "codes", module: "./level.js", of: "any" },
  { name: "code", under: "codes", module: "./code.js", of: "any" },
  { name: "map", text: "Map", module: "./map.js", of: "any" },
  { name: "items", text: "Items", module: "./entries.js", of: "item" },
  { name: "item", under: "items", module: "./entry.js", of: "item" },
  { name: "users", text: "Users", module: "./entries.js", of: "user" },
  { name: "user", under: "users", module: "./entry.js", of: "user" },
  { name: "try", text: "Try it", module: "./trying.js", of: "all" },
  { name: "models", text: "Models", module: "./models.js" },
  { name: "model", under: "models", module: "./model.js" },
  { name: "compare", under: "models", module: "./comparing.js" },
  { name: "runs", text: "Runs", module: "./runs.js" },
  { name: "run", under: "runs", module: "./run.js" },
  { name: "quality", text: "Quality", module: "./quality.js", of: "any" },
  { name: "api", text: "API", module: "./api.js" },
];

const named = (name) => PAGES.find((page) => page.name === name);

// Where an address leads: its scope, its page (undefined where there is none), and the rest.
export function placeOf(hash, scopes) {
  let parts = [];
  try {
    parts = hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch { /* an address that nobody can read is that of the first page */ }
  const chosen = scopes.find((scope) => scope.name && scope.name === parts[0]);
  const [name = chosen ? `${chosen.entity}s` : "overview", ...rest] = chosen ? parts.slice(1) : parts;
  const page = named(name);
  const fits = (scope) => !["item", "user"].includes(page?.of) || scope.entity === page.of;
  const scope = chosen && fits(chosen) ? chosen : scopes.find(fits);
  return { page, scope, parts: rest, name };
}
