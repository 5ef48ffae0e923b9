// What clicks and keys do, and the dialogs that they open.

import { $, addressOf, get, go, open, shut, text } from "./address.js";
import { loadList, loaded, rows, step, unfold } from "./list.js";

const list = $("#list"), aside = $("#aside"), box = $("#q"), dialog = $("#dialog");

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest?.(selector);
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  const row = at("a.row"), link = at("[data-go]"), close = at("[data-close]");
  const opening = at("[data-dialog]"), copy = at("[data-copy]");
  if (row) { event.preventDefault(); open(row.dataset.seq); }
  else if (at(".fold")) unfold(at(".fold"));
  else if (at("#newer")) { event.preventDefault(); newest(); }
  else if (link) { event.preventDefault(); go(link.getAttribute("href")); }
  else if (close) { event.preventDefault(); shut(); }
  else if (opening) { event.preventDefault(); ask(opening.dataset.dialog); }
  else if (at("[data-cancel]")) dialog.close();
  else if (copy) copied(copy, $(`#${copy.dataset.copy}`).textContent);
  else if (at("[data-copy-link]")) copied(at("[data-copy-link]"), location.href);
});

async function copied(button, what) {
  await navigator.clipboard.writeText(what);
  const was = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = was; }, 1200);
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

document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || dialog.open || event.target === box) return;
  const on = document.activeElement?.closest?.(".row");
  const act = {
    "/": () => { box.focus(); box.select(); },
    j: () => step(1), ArrowDown: () => step(1),
    k: () => step(-1), ArrowUp: () => step(-1),
    g: newest, G: oldest,
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

async function newest() {
  go(addressOf({ q: text() }));
  await ($("#newer:not([hidden])") ? loadList() : loaded);
  list.scrollTop = 0;
  rows()[0]?.focus();
}

async function oldest() {
  go(addressOf({ q: text(), start: "oldest" }));
  await loaded;
  list.scrollTop = list.scrollHeight;
  rows().at(-1)?.focus();
}

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
