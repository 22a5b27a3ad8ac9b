// What can be looked at: the items or the users of a served model. The first is the default, whose
// addresses have no name before them.

export function scopesOf({ list_completion: lists, click_through: clicks }) {
  const inLists = { name: "", entity: "item", model: lists, label: lists && clicks ? "Items of lists" : "Items",
    seen: "time" };
  const inClicks = { ...inLists, model: clicks, seen: "click" };
  const users = { name: "users", entity: "user", model: clicks, label: "Users", seen: "click" };
  if (!clicks) return [inLists];
  if (!lists) return [inClicks, users];
  return [inLists, { ...inClicks, name: "clicks", label: "Items of clicks" }, users];
}

// A call of the API about a scope.
export const call = (scope, path, parameters = {}) =>
  `${path}?${new URLSearchParams({ ...parameters, model: scope.model })}`;

export const codesCall = (scope, path, parameters = {}) =>
  call(scope, `/codes${path}`, { ...parameters, entity: scope.entity });

// The address of a view of a scope.
export const address = (scope, ...parts) =>
  `#/${[scope.name, ...parts].filter((part) => part !== "").map(encodeURIComponent).join("/")}`;
