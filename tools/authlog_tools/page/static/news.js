// What is new: rows slide in while nobody looks at something; else it is said and waits.

import { $, $$, addressOf, asked, get, go, number, phone, text } from "./address.js";
import { loadList } from "./list.js";
import { draw } from "./timeline.js";

const list = $("#list"), fresh = $("#fresh"), live = $("#live"), body = document.body;
const title = document.title;

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
for (const name of ["lost", "htmx:sse:error", "htmx:error"]) live.addEventListener(name, lost);
live.addEventListener("htmx:sse:after:connection", (event) => { if (event.detail.connection.status === 200) connected(); });
// What is seen stays until the server is known to answer.
$("#retry").addEventListener("click", async () => {
  const answer = await fetch("/proof").catch(() => null);
  if (answer?.ok) location.reload();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) document.title = title; });
