// The address is the state: what is clicked changes it, and what stands in it is asked of the server.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const phone = matchMedia("(max-width: 760px)");

export const asked = () => new URLSearchParams(location.search);
export const text = () => asked().get("q") ?? "";
export const number = (name) => Number(asked().get(name) ?? 0);

export function addressOf(values) {
  const query = Object.entries(values).filter(([, value]) => value)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return query ? `/?${query}` : "/";
}

// Each part of the page says what it does when the address is another one; it is told what is not
// the same as before.
const parts = [];
export const follow = (part) => parts.push(part);

let shown = asked();
function moved() {
  const before = shown, now = shown = asked();
  const changed = (...names) => names.some((name) => (before.get(name) ?? "") !== (now.get(name) ?? ""));
  for (const part of parts) part(changed);
}
addEventListener("popstate", moved);

export function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  moved();
}

export const open = (seq, options) =>
  go(addressOf({ q: text(), start: asked().get("start"), event: seq }), options);
export const shut = () => open(0);

// Each part asks for itself; the answer to an older question comes to nothing.
const turns = new WeakMap();
export async function get(address, where, swap = "innerHTML") {
  const target = typeof where === "string" ? $(where) : where;
  const turn = (turns.get(target) ?? 0) + 1;
  turns.set(target, turn);
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status} ${address}`);
    if (turns.get(target) === turn) await htmx.swap({ text, target, swap, sourceElement: target });
  } catch { $("#live").dispatchEvent(new Event("lost")); }
}
