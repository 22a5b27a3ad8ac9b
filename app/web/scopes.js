// What can be looked at: the items or the users of a served model. The first is the default, whose
// addresses have no name before them.

const TASKS = [
  { task: "list_completion", of: "lists", seen: "time" },
  { task: "click_through", of: "clicks", seen: "click", users: true },
  { task: "collaborative_filtering", of: "recommendations", seen: "interaction", users: true },
];

export function scopesOf(models) {
  const scope = (entity, name, label) => ({ task, of, seen }, place, all) => ({
    task, entity, seen, model: models[task], name: name(of, place),
    label: all.length > 1 ? `${label} of ${of}` : label });
  const served = TASKS.filter(({ task }) => models[task]);
  return [
    ...served.map(scope("item", (of, place) => (place ? of : ""), "Items")),
    ...served.filter(({ users }) => users)
      .map(scope("user", (of, place) => (place ? `users-of-${of}` : "users"), "Users")),
  ];
}

// A call of the API about a scope.
export const call = (scope, path, parameters = {}) =>
  `${path}?${new URLSearchParams({ ...parameters, model: scope.model })}`;

export const codesCall = (scope, path, parameters = {}) =>
  call(scope, `/codes${path}`, { ...parameters, entity: scope.entity });

// The address of a page of a scope; of a page about none with null.
export const address = (scope, ...parts) =>
  `#/${[scope?.name ?? "", ...parts].filter((part) => part !== "").map(encodeURIComponent).join("/")}`;
