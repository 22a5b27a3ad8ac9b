// The pages. Each is one line here and one module, read when it is first asked for, whose
// `view(context)` gives the nodes to show. A context holds
//   scope, scopes   whose items or users are looked at (scopes.js), and all there are
//   models          the id of the model that is served for each task
//   parts           of the address, what follows the page's name
//   signal          aborted when the page is left
//   refresh(focus)  shows the page anew; with true its heading gets the focus
//
// text: its name in the navigation; under: the page that it belongs to there; of: a model must be
// served, and it is about "any" scope, those of an "item" or a "user", or "all" at once; served: it
// says which models are; needs: how many parts of the address.

export const PAGES = [
  { name: "overview", text: "Overview", module: "./overview.js", served: true },
  { name: "codes", text: "Codes", module: "./codes.js", of: "any" },
  { name: "level", under: "codes", module: "./level.js", of: "any", needs: 1 },
  { name: "code", under: "codes", module: "./code.js", of: "any", needs: 2 },
  { name: "map", text: "Map", module: "./map.js", of: "any" },
  { name: "items", text: "Items", module: "./entries.js", of: "item" },
  { name: "item", under: "items", module: "./entry.js", of: "item", needs: 1 },
  { name: "users", text: "Users", module: "./entries.js", of: "user" },
  { name: "user", under: "users", module: "./entry.js", of: "user", needs: 1 },
  { name: "try", text: "Try it", module: "./trying.js", of: "all" },
  { name: "models", text: "Models", module: "./models.js", served: true },
  { name: "model", under: "models", module: "./model.js", needs: 1 },
  { name: "compare", under: "models", module: "./comparing.js", needs: 2 },
  { name: "runs", text: "Runs", module: "./runs.js" },
  { name: "run", under: "runs", module: "./run.js", needs: 1 },
  { name: "quality", text: "Quality", module: "./quality.js", of: "any" },
  { name: "api", text: "API", module: "./api.js" },
];

const named = (name, parts) => PAGES.find((page) => page.name === name && parts.length >= (page.needs ?? 0));

// Where an address leads: its scope, its page (undefined where there is none), and the rest.
export function placeOf(hash, scopes) {
  let parts = [];
  try {
    parts = hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch { /* an address that nobody can read is that of the first page */ }
  const chosen = scopes.find((scope) => scope.name && scope.name === parts[0]);
  const [name = chosen ? `${chosen.entity}s` : "overview", ...rest] = chosen ? parts.slice(1) : parts;
  const page = named(name, rest);
  const fits = (scope) => !["item", "user"].includes(page?.of) || scope.entity === page.of;
  const scope = chosen && fits(chosen) ? chosen : scopes.find(fits);
  return { page, scope, parts: rest, name };
}
