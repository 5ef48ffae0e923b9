// The box: qualifiers are coloured while they are typed, and suggested with counts.

import { $, $$, addressOf, follow, get, go, number, text } from "./address.js";
import { step } from "./list.js";

const box = $("#q"), colours = $("#colours"), suggestions = $("#suggestions");
const known = new Set(document.body.dataset.known.split(" "));

follow(() => { if (document.activeElement !== box) { box.value = text(); colour(); } });

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
    const whole = box.value.replace(/(^|\s)-?[a-z]+:$/i, "").trim();  // one without a value waits for it
    if (whole === text()) return;
    go(addressOf({ q: whole, event: number("event") }), { replace: typed });
    typed = true;
  }, 160);
});
let typed = false;
box.addEventListener("focus", () => { typed = false; suggest(); });
box.addEventListener("scroll", () => { colours.scrollLeft = box.scrollLeft; });
box.addEventListener("blur", () => quiet());
$(".find").addEventListener("submit", (event) => event.preventDefault());

const word = () => /\S*$/.exec(box.value.slice(0, box.selectionStart))[0];
// Suggestions for what stood there before count no more.
const options = () => suggestions.hidden || suggestions.dataset.about !== word() ? [] : $$("button", suggestions);
const quiet = () => { suggestions.hidden = true; box.setAttribute("aria-expanded", "false"); };

async function suggest() {
  const about = word();
  await get(`/suggest?${new URLSearchParams({ word: about })}`, "#suggestions");
  if (about !== word() || document.activeElement !== box) return;
  suggestions.dataset.about = about;
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

box.addEventListener("keydown", (event) => {
  const all = options();
  if (event.key === "Escape") { event.preventDefault(); if (all.length) quiet(); else box.blur(); }
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); choose(chosen + (event.key === "ArrowDown" ? 1 : -1)); }
  else if (event.key === "Tab" && !suggestions.hidden && !event.shiftKey) { event.preventDefault(); if (all[chosen]) take(all[chosen]); }
  else if (event.key === "Enter") { event.preventDefault(); quiet(); box.blur(); step(0); }
});

suggestions.addEventListener("mousedown", (event) => {
  event.preventDefault();
  const option = event.target.closest("button");
  if (option) take(option);
});

colour();
