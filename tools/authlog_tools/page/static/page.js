// The page's own part: address, keys, brush, theme, and what to do about news.
// The address is the state: every click changes it, and what stands in it is asked of the server.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const body = document.body, list = $("#list"), aside = $("#aside"), overview = $("#overview");
const box = $("#q"), colours = $("#colours"), suggestions = $("#suggestions");
const dialog = $("#dialog"), fresh = $("#fresh"), live = $("#live");
const known = new Set(body.dataset.known.split(" "));
const phone = matchMedia("(max-width: 760px)");
const title = document.title;

// ---- the address

const asked = () => new URLSearchParams(location.search);
const text = () => asked().get("q") ?? "";
const number = (name) => Number(asked().get(name) ?? 0);

function addressOf(values) {
  const query = Object.entries(values).filter(([, value]) => value)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return query ? `/?${query}` : "/";
}

function go(address, { replace = false } = {}) {
  const before = asked();
  history[replace ? "replaceState" : "pushState"](null, "", address);
  show(before);
}

function show(before) {
  const now = asked();
  const same = (name) => (before?.get(name) ?? "") === (now.get(name) ?? "");
  if (document.activeElement !== box) { box.value = text(); colour(); }
  if (!same("q") || !same("start")) loadList();
  else select();
  if (!same("event") || !same("state")) loadDetails();
  if (!same("q")) draw(); else line();
}

// Each part of the page asks for itself; the answer to an older question comes to nothing.
const turns = new WeakMap();
async function get(address, where, swap = "innerHTML") {
  const target = typeof where === "string" ? $(where) : where;
  const turn = (turns.get(target) ?? 0) + 1;
  turns.set(target, turn);
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status} ${address}`);
    if (turns.get(target) === turn) await htmx.swap({ text, target, swap, sourceElement: target });
  } catch { lost(); }
}

let listing = 0;
async function loadList({ morph = false } = {}) {
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

// An event that is not among the rows: in a folded run, or farther down.
async function reveal(event) {
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

function select({ scroll = false } = {}) {
  const event = number("event");
  for (const row of $$(".row.cur", list)) {
    if (row.dataset.seq !== String(event)) { row.classList.remove("cur"); row.removeAttribute("aria-current"); }
  }
  const row = event && $(`#e${event}`);
  if (row) {
    row.classList.add("cur");
    row.setAttribute("aria-current", "true");
    rove(row);
    if (scroll && !visible(row)) row.scrollIntoView({ block: "center" });
  }
  line();
}

function visible(row) {
  const { top, bottom } = row.getBoundingClientRect();
  const area = phone.matches ? { top: 100, bottom: innerHeight } : list.getBoundingClientRect();
  return top >= area.top + 66 && bottom <= area.bottom;
}

// Newer rows come in above what is looked at, which stays where it is.
list.addEventListener("htmx:before:swap", (event) => {
  if (!event.target.closest(".more[id^=above]")) return;
  const anchor = rows()[0], top = anchor.getBoundingClientRect().top;
  requestAnimationFrame(() => {
    const days = new Set();
    for (const day of $$(".day", list)) { if (days.has(day.id)) day.remove(); days.add(day.id); }
    (phone.matches ? document.scrollingElement : list).scrollTop += anchor.getBoundingClientRect().top - top;
    age();
  });
});

addEventListener("popstate", () => { show(shown); shown = asked(); });
let shown = asked();
for (const name of ["pushState", "replaceState"]) {
  const plain = history[name].bind(history);
  history[name] = (...given) => { plain(...given); shown = asked(); };
}

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest?.(selector);
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  const row = at("a.row"), link = at("[data-go]"), close = at("[data-close]");
  const opening = at("[data-dialog]"), copy = at("[data-copy]");
  if (row) { event.preventDefault(); open(row); }
  else if (at(".fold")) unfold(at(".fold"));
  else if (link) { event.preventDefault(); go(link.getAttribute("href")); }
  else if (close) { event.preventDefault(); shut(); }
  else if (opening) { event.preventDefault(); ask(opening.dataset.dialog); }
  else if (at("[data-cancel]")) dialog.close();
  else if (copy) copied(copy, $(`#${copy.dataset.copy}`).textContent);
  else if (at("[data-copy-link]")) copied(at("[data-copy-link]"), location.href);
  else if (at("[data-lanes]") && at("button")) { lanes = at("button").dataset.lanes; draw(); }
});

async function copied(button, what) {
  await navigator.clipboard.writeText(what);
  const was = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = was; }, 1200);
}

const open = (row) => go(addressOf({ q: text(), start: asked().get("start"), event: row.dataset.seq }));
const shut = () => go(addressOf({ q: text(), start: asked().get("start") }));

async function unfold(fold) {
  const wide = fold.getAttribute("aria-expanded") !== "true";
  fold.setAttribute("aria-expanded", String(wide));
  if (wide) htmx.trigger(fold, "unfold");
  else fold.nextElementSibling.replaceChildren();
}

async function ask(address) {
  await get(address, "#dialog");
  if (!dialog.open) dialog.showModal();
  $("[autofocus]", dialog)?.focus();
}

document.addEventListener("restored", (event) => {
  dialog.close();
  go(addressOf({ q: text(), event: event.detail.seq }));
});

// ---- one tab stop for all rows

const rows = () => $$(".row", list);

function rove(to) {
  const all = rows();
  const next = to ?? all.find((row) => row.classList.contains("cur")) ?? all[0];
  for (const row of all) row.tabIndex = row === next ? 0 : -1;
}

function step(by) {
  const all = rows();
  if (!all.length) return;
  let place = all.indexOf(document.activeElement);
  if (place < 0) place = all.findIndex((row) => row.classList.contains("cur"));
  const row = all[Math.max(0, Math.min(all.length - 1, place < 0 ? 0 : place + by))];
  rove(row);
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  if (!aside.hidden && row.dataset.seq && row.dataset.seq !== String(number("event"))) {
    go(addressOf({ q: text(), start: asked().get("start"), event: row.dataset.seq }), { replace: true });
  } else hover(row);
}

list.addEventListener("focusin", (event) => { const row = event.target.closest(".row"); if (row) rove(row); });

// ---- keys

document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || dialog.open) return;
  if (event.target === box) { boxKey(event); return; }
  const on = document.activeElement?.closest?.(".row");
  const act = {
    "/": () => { box.focus(); box.select(); },
    j: () => step(1), ArrowDown: () => step(1),
    k: () => step(-1), ArrowUp: () => step(-1),
    g: () => { if (asked().get("start")) go(addressOf({ q: text() })); list.scrollTop = 0; rows()[0]?.focus(); },
    G: () => oldest(),
    r: () => { const restore = $("[data-restore]", aside); if (restore) ask(restore.dataset.dialog); },
    p: () => { const panel = $(".panel", aside); if (panel?.dataset.only) go(addressOf({ q: panel.dataset.only })); },
    t: theme,
    "?": help,
    Escape: () => { if (!aside.hidden) shut(); else if (text()) go("/"); },
    Enter: () => { if (!on) step(0); else on.click(); },
  }[event.key];
  if (!act || (event.key === "Enter" && event.target.closest("a:not(.row), button:not(.row)"))) return;
  event.preventDefault();
  act();
});

async function oldest() {
  go(addressOf({ q: text(), start: "oldest" }));
  await settled(() => listing);
  list.scrollTop = list.scrollHeight;
  rows().at(-1)?.focus();
}

const settled = () => new Promise((done) =>
  list.addEventListener("htmx:after:swap", () => setTimeout(done), { once: true }));

function help() {
  dialog.replaceChildren($("#keys").content.cloneNode(true));
  dialog.showModal();
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("authlog-theme", root.dataset.theme); } catch { /* not kept */ }
}

$("#theme").addEventListener("click", theme);
$("#help").addEventListener("click", help);
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// ---- the box

function colour() {
  colours.replaceChildren(...box.value.split(/((?:^|\s)-?[A-Za-z_]+:)/).map((part) => {
    const name = /^\s?-?([A-Za-z_]+):$/.exec(part)?.[1];
    if (!name) return new Text(part);
    const mark = document.createElement(known.has(name) ? "b" : "u");
    mark.textContent = part;
    return mark;
  }));
  colours.scrollLeft = box.scrollLeft;
}

let typing = 0, chosen = 0;
box.addEventListener("input", () => {
  colour();
  chosen = 0;
  suggest();
  clearTimeout(typing);
  typing = setTimeout(() => {
    const first = !typed;
    typed = true;
    go(addressOf({ q: box.value.trim(), event: number("event") }), { replace: !first });
  }, 160);
});
let typed = false;
box.addEventListener("focus", () => { typed = false; suggest(); });
box.addEventListener("scroll", () => { colours.scrollLeft = box.scrollLeft; });
box.addEventListener("blur", () => quiet());
$(".find").addEventListener("submit", (event) => event.preventDefault());

const word = () => /\S*$/.exec(box.value.slice(0, box.selectionStart))[0];
const options = () => suggestions.hidden ? [] : $$("button", suggestions);
const quiet = () => { suggestions.hidden = true; box.setAttribute("aria-expanded", "false"); };

async function suggest() {
  const about = word();
  await get(`/suggest?${new URLSearchParams({ word: about })}`, "#suggestions");
  if (about !== word() || document.activeElement !== box) return;
  suggestions.hidden = !suggestions.children.length;
  box.setAttribute("aria-expanded", String(!suggestions.hidden));
  choose(0);
}

function choose(place) {
  const all = options();
  chosen = all.length ? (place + all.length) % all.length : 0;
  all.forEach((one, n) => one.setAttribute("aria-selected", String(n === chosen)));
  if (all[chosen]) box.setAttribute("aria-activedescendant", all[chosen].id);
  else box.removeAttribute("aria-activedescendant");
}

function take(option) {
  const end = box.selectionStart, start = end - word().length, said = option.dataset.text;
  const space = said.endsWith(":") ? "" : " ";
  box.value = box.value.slice(0, start) + said + space + box.value.slice(end).trimStart();
  box.selectionStart = box.selectionEnd = start + said.length + space.length;
  box.dispatchEvent(new Event("input"));
}

function boxKey(event) {
  const all = options();
  if (event.key === "Escape") { event.preventDefault(); if (all.length) quiet(); else box.blur(); }
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); choose(chosen + (event.key === "ArrowDown" ? 1 : -1)); }
  else if (event.key === "Tab" && all[chosen] && !event.shiftKey) { event.preventDefault(); take(all[chosen]); }
  else if (event.key === "Enter") { event.preventDefault(); quiet(); box.blur(); step(0); }
}

suggestions.addEventListener("mousedown", (event) => {
  event.preventDefault();
  const option = event.target.closest("button");
  if (option) take(option);
});

// ---- density and lanes

let lanes = "", drawing = 0;
async function draw() {
  const mine = ++drawing;
  const query = new URLSearchParams({ q: text(), w: Math.floor(overview.clientWidth), event: number("event"), lanes });
  await get(`/overview?${query}`, "#overview");
  if (mine === drawing) line();
}

const scale = () => { const svg = $(".timeline"); return svg && Object.fromEntries(Object.entries(svg.dataset).map(([name, value]) => [name, Number(value)])); };
const place = (moment) => { const { first, last, left, right } = scale(); return left + (moment - first) / (last - first) * (right - left); };
function moment(x) {
  const { first, last, left, right } = scale();
  return first + Math.max(0, Math.min(1, (x - left) / (right - left))) * (last - first);
}

function across(id, row) {
  const path = $(id);
  if (!path) return;
  const { first, last, foot } = scale(), when = Number(row?.dataset.t);
  path.setAttribute("d", row && when >= first && when <= last ? `M${place(when).toFixed(1)} 0V${foot}` : "");
}
const hover = (row) => across("#hovered", row);
function line() { const row = number("event") && $(`#e${number("event")}`); if (row || !number("event")) across("#selected", row || null); }

list.addEventListener("mouseover", (event) => hover(event.target.closest(".row")));
list.addEventListener("mouseleave", () => hover(null));

const two = (n) => String(n).padStart(2, "0");
function written(when, fine) {
  const day = new Date(when);
  const time = `${two(day.getHours())}:${two(day.getMinutes())}${fine ? `:${two(day.getSeconds())}` : ""}`;
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}T${time}`;
}

let from = null;
const inside = (event) => event.clientX - overview.getBoundingClientRect().left - overview.clientLeft;
overview.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".timeline") || event.target.closest("a") || event.button) return;
  from = inside(event);
  if (event.pointerType === "mouse") overview.setPointerCapture(event.pointerId);
});
overview.addEventListener("pointermove", (event) => {
  const tip = $(".tip"), x = inside(event);
  if (!tip || !scale()) return;
  tip.hidden = false;
  tip.textContent = written(moment(x), false).replace("T", " ");
  tip.style.left = `${Math.max(4, Math.min(overview.clientWidth - 140, x + 12))}px`;
  if (from !== null && event.pointerType === "mouse") {
    const brush = $("#brush"), low = Math.max(scale().left, Math.min(from, x)), high = Math.min(scale().right, Math.max(from, x));
    brush.setAttribute("x", low);
    brush.setAttribute("width", Math.max(0, high - low));
  }
});
overview.addEventListener("pointerleave", () => { const tip = $(".tip"); if (tip) tip.hidden = true; });
overview.addEventListener("pointercancel", () => { from = null; });
overview.addEventListener("pointerup", async (event) => {
  if (from === null || !scale()) return;
  const began = from, ended = inside(event);
  from = null;
  if (Math.abs(ended - began) > 6) {
    const [since, until] = [moment(Math.min(began, ended)), moment(Math.max(began, ended))];
    const fine = until - since < 600_000;
    const kept = text().split(/\s+/).filter((one) => one && !/^(since|until):/.test(one));
    go(addressOf({ q: [...kept, `since:${written(since, fine)}`, `until:${written(until, fine)}`].join(" ") }));
  } else {
    const answer = await fetch(`/near?${new URLSearchParams({ q: text(), t: Math.round(moment(ended)) })}`);
    const { seq } = await answer.json();
    if (seq) go(addressOf({ q: text(), event: seq }));
  }
});

let width = overview.clientWidth;
new ResizeObserver(() => {
  if (overview.clientWidth === width) return;
  width = overview.clientWidth;
  clearTimeout(draw.later);
  draw.later = setTimeout(draw, 120);
}).observe(overview);

// ---- news

let seen = Number(body.dataset.seq), loading = body.dataset.loading === "yes", told = null, drawn = 0;

live.addEventListener("news", (event) => {
  connected();
  const news = JSON.parse(event.detail.data), before = told;
  told = news;
  live.dataset.told = "yes";
  const more = Math.max(0, news.seq - seen);
  if (document.hidden && more) document.title = `(${more}) ${title}`;
  const late = loading;
  if (loading !== news.loading || (before && before.failed !== news.failed)) {
    loading = news.loading;
    settle({ late });
  } else if (loading && news.begun && !$(".row", list)) {
    loadList();
  } else if (more) {
    if (resting()) settle();
    else { fresh.hidden = false; fresh.textContent = more === 1 ? "1 new event" : `${more} new events`; }
  } else if (before && (before.proof !== news.proof || before.verified !== news.verified)) {
    proven();
  } else if (!before && news.verified) proven();
  if ($("#proof") && before && before.proof !== news.proof) get("/proof", "#dialog");
});

// Whether rows may move: nobody has scrolled, selected or opened anything.
const resting = () => (phone.matches ? scrollY < 240 : list.scrollTop < 40)
  && !number("event") && !asked().get("start") && !$(".fold[aria-expanded=true]", list);

async function settle({ late = false } = {}) {
  const last = seen, arrived = told.seq > last && !loading;
  seen = told.seq;
  fresh.hidden = true;
  const wait = Math.max(0, 1000 - (performance.now() - drawn));
  clearTimeout(settle.later);
  settle.later = setTimeout(() => { drawn = performance.now(); draw(); }, wait);
  await loadList({ morph: true });
  if (arrived && !late) for (const row of $$("a.row", list)) row.classList.toggle("new", Number(row.dataset.seq) > last);
}

// Only what says whether the log is proven: the rows stay as they are.
async function proven() {
  const answer = await fetch(`/list?${asked()}`);
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#pill");
  if (found) { found.removeAttribute("hx-swap-oob"); $("#pill").replaceWith(document.adoptNode(found)); }
}

fresh.addEventListener("click", () => {
  list.scrollTop = 0;
  scrollTo(0, 0);
  if (asked().get("start") || number("event")) go(addressOf({ q: text() }));
  settle();
});

function connected() { $("#lost").hidden = true; live.classList.remove("off"); live.lastElementChild.textContent = "live"; }
function lost() { $("#lost").hidden = false; live.classList.add("off"); live.lastElementChild.textContent = "lost"; }
live.addEventListener("htmx:sse:error", lost);
live.addEventListener("htmx:sse:after:connection", (event) => { if (event.detail.connection.status === 200) connected(); });
live.addEventListener("htmx:error", lost);
$("#retry").addEventListener("click", () => location.reload());
document.addEventListener("visibilitychange", () => { if (!document.hidden) document.title = title; });

// ---- times that pass

function ago(ms) {
  const s = (Date.now() - ms) / 1000;
  if (s < 5) return "now";
  if (s < 60) return `${Math.floor(s)}s ago`;
  if (s < 3600) return `${Math.floor(s / 60)}m ago`;
  return s < 86400 ? `${Math.floor(s / 3600)}h ago` : `${Math.floor(s / 86400)}d ago`;
}
function age() { for (const one of $$("[data-ago]")) one.textContent = ago(Number(one.dataset.ago)); }
setInterval(age, 15_000);

colour();
rove();
draw();
if (number("event")) {
  const there = $(`#e${number("event")}`) ? Promise.resolve() : reveal(number("event"));
  there.then(() => select({ scroll: true }));
}
