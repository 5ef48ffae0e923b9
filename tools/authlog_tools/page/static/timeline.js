// Density and lanes: drawn by the server at the width there is; here a line through them, and the brush.

import { $, addressOf, follow, get, go, number, text } from "./address.js";

const list = $("#list"), overview = $("#overview");

follow((changed) => { if (changed("q")) draw(); else line(); });

let lanes = "", drawing = 0;
export async function draw() {
  const mine = ++drawing;
  const query = new URLSearchParams({ q: text(), w: Math.floor(overview.clientWidth), event: number("event"), lanes });
  await get(`/overview?${query}`, "#overview");
  if (mine === drawing) line();
}

overview.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-lanes]");
  if (button) { lanes = button.dataset.lanes; draw(); }
});

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
export const hover = (row) => across("#hovered", row);
export function line() { const row = number("event") && $(`#e${number("event")}`); if (row || !number("event")) across("#selected", row || null); }

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

draw();
