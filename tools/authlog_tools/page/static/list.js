// The list and the details beside it: one tab stop for all rows, runs of refreshes that unfold.

import { $, $$, asked, follow, get, number, open, phone, text } from "./address.js";
import { hover, line } from "./timeline.js";

const list = $("#list"), aside = $("#aside");
export const rows = () => $$(".row", list);

export let loaded = Promise.resolve();  // when the list shows what the address asks for
follow((changed) => {
  if (changed("q", "start")) loaded = loadList();
  else select();
  if (changed("event", "state")) loadDetails();
});

let listing = 0;
export async function loadList({ morph = false } = {}) {
  const mine = ++listing;
  const query = new URLSearchParams(asked());
  const top = list.scrollTop;
  await get(`/list?${query}`, "#list", morph ? "innerMorph" : "innerHTML");
  if (mine !== listing) return;
  list.scrollTop = morph ? top : 0;
  rove();
  select();
  age();
}

async function loadDetails() {
  const event = number("event"), state = number("state");
  if (!event && !state) { aside.hidden = true; aside.replaceChildren(); return; }
  const query = new URLSearchParams({ q: text() });
  await get(event ? `/event/${event}?${query}` : `/state/${state}?${query}`, "#aside");
  aside.hidden = false;
  aside.scrollTop = 0;
  if (event && !$(`#e${event}`)) await reveal(event);
  select({ scroll: true });
}

// An event that is not among the rows: in a folded run, or farther down. Whichever answer brings it,
// the list is scrolled to it then: a newer question may take the place of ours.
let sought = null;
async function reveal(event) {
  sought = event;
  const fold = $$(".fold").find((one) =>
    Number(one.dataset.oldest) <= event && event <= Number(one.dataset.newest));
  if (fold) {
    fold.setAttribute("aria-expanded", "true");
    await get(`/fold?${new URLSearchParams({
      q: text(), before: fold.dataset.newest, until: fold.dataset.oldest })}`, fold.nextElementSibling);
  } else if (!list.contains($(`#e${event}`))) {
    await loadList();
    const again = $$(".fold").find((one) =>
      Number(one.dataset.oldest) <= event && event <= Number(one.dataset.newest));
    if (again && !$(`#e${event}`)) await reveal(event);
  }
}

export function select({ scroll = false } = {}) {
  const event = number("event");
  for (const row of $$(".row.cur", list)) {
    if (row.dataset.seq !== String(event)) { row.classList.remove("cur"); row.removeAttribute("aria-current"); }
  }
  const row = event && $(`#e${event}`);
  if (row) {
    row.classList.add("cur");
    row.setAttribute("aria-current", "true");
    rove(row);
    // On a phone the lower part lies below the sheet.
    if ((scroll || sought === event) && !visible(row)) row.scrollIntoView({ block: phone.matches ? "start" : "center" });
    sought = null;
  }
  line();
}

function visible(row) {
  const { top, bottom } = row.getBoundingClientRect();
  const area = phone.matches ? { top: 50, bottom: innerHeight / 4 } : list.getBoundingClientRect();
  return top >= area.top + 66 && bottom <= area.bottom;
}

// Newer rows come in above what is looked at, which stays where it is; who scrolls meanwhile, scrolls.
list.addEventListener("htmx:before:swap", (event) => {
  if (!event.target.closest(".more[id^=above]")) return;
  const scroller = phone.matches ? document.scrollingElement : list;
  const anchor = rows()[0], top = anchor.getBoundingClientRect().top, from = scroller.scrollTop;
  requestAnimationFrame(() => {
    const days = new Set();
    for (const day of $$(".day", list)) { if (days.has(day.id)) day.remove(); days.add(day.id); }
    const scrolled = scroller.scrollTop - from;
    scroller.scrollTop += anchor.getBoundingClientRect().top + scrolled - top;
    age();
  });
});

export async function unfold(fold) {
  const wide = fold.getAttribute("aria-expanded") !== "true";
  fold.setAttribute("aria-expanded", String(wide));
  if (wide) htmx.trigger(fold, "unfold");
  else fold.nextElementSibling.replaceChildren();
}

export function rove(to) {
  const all = rows();
  const next = to ?? all.find((row) => row.classList.contains("cur")) ?? all[0];
  for (const row of all) row.tabIndex = row === next ? 0 : -1;
}

export function step(by) {
  const all = rows();
  if (!all.length) return;
  let place = all.indexOf(document.activeElement);
  if (place < 0) place = all.findIndex((row) => row.classList.contains("cur"));
  const row = all[Math.max(0, Math.min(all.length - 1, place < 0 ? 0 : place + by))];
  rove(row);
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  if (!aside.hidden && row.dataset.seq && row.dataset.seq !== String(number("event"))) {
    open(row.dataset.seq, { replace: true });
  } else hover(row);
}

list.addEventListener("focusin", (event) => { const row = event.target.closest(".row"); if (row) rove(row); });

// ---- times that pass

function ago(ms) {
  const s = (Date.now() - ms) / 1000;
  if (s < 5) return "now";
  if (s < 60) return `${Math.floor(s)}s ago`;
  if (s < 3600) return `${Math.floor(s / 60)}m ago`;
  return s < 86400 ? `${Math.floor(s / 3600)}h ago` : `${Math.floor(s / 86400)}d ago`;
}
export function age() { for (const one of $$("[data-ago]")) one.textContent = ago(Number(one.dataset.ago)); }
setInterval(age, 15_000);

rove();
if (number("event")) {
  const there = $(`#e${number("event")}`) ? Promise.resolve() : reveal(number("event"));
  there.then(() => select({ scroll: true }));
}
