// Keeps a page fresh, says when it no longer is, and brings the search box under the "/" key. No page needs it to be read.
"use strict";

const STALE_MS = 15000;
const live = document.getElementById("live");
const lost = document.querySelector(".lost");
const pulse = document.querySelector(".pulse");
let heard = Date.now();
let shown = null;
let tag = "";
let asking = false;
let again = false;

function clock(ms) {
  return new Date(ms).toLocaleTimeString("vi-VN", { hour12: false });
}

function say(fresh) {
  if (!pulse || !live) return;
  document.body.classList.toggle("stale", !fresh);
  if (lost) {
    lost.hidden = fresh;
    if (!fresh) lost.textContent = document.body.dataset.lost.replace("{at}", shown || "?");
  }
  if (fresh && shown) pulse.textContent = document.body.dataset.on.replace("{at}", shown);
}

async function look() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(live.dataset.src, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (answer.status === 401 || answer.redirected) { location.reload(); return; }
    if (answer.status === 200) {
      const text = await answer.text();
      const focused = document.activeElement && live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      live.innerHTML = text;
      if (focused) { const back = [...live.querySelectorAll("a[href]")].find((one) => one.getAttribute("href") === focused); if (back) back.focus(); }
      tag = answer.headers.get("ETag") || "";
    }
    if (live.dataset.every && (answer.status === 200 || answer.status === 304)) {
      heard = Date.now();
      shown = clock(heard);
    }
  } catch (error) {
    // The beat tells whether the daemon is away; nothing to add here.
  } finally {
    asking = false;
    if (again) { again = false; look(); }
  }
}

function listen() {
  const events = new EventSource("/events");
  let version = null;
  const hear = (event) => {
    heard = Date.now();
    const data = JSON.parse(event.data);
    shown = data.at;
    say(!data.trouble_stale);
    if (version !== data.version || event.type === "changed") look();
    version = data.version;
  };
  events.addEventListener("beat", hear);
  events.addEventListener("changed", hear);
  // A page that the browser kept aside comes back with what it showed then.
  window.addEventListener("pageshow", (event) => { if (event.persisted) look(); });
  setInterval(() => { if (Date.now() - heard > STALE_MS) say(false); }, 1000);
}

// A page for whoever comes hears no events: it asks now and then.
function poll(every) {
  setInterval(look, every);
  setInterval(() => say(Date.now() - heard < 3 * every), 1000);
}

if (live) {
  shown = live.dataset.at || clock(Date.now());
  if (live.dataset.every) poll(1000 * live.dataset.every);
  else listen();
}

const here = document.querySelector(".row [aria-current]");
if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 40;

const further = document.querySelector(".further");
if (further) {
  document.addEventListener("click", (event) => { if (!further.contains(event.target)) further.open = false; });
  further.addEventListener("keydown", (event) => { if (event.key === "Escape") { further.open = false; further.querySelector("summary").focus(); } });
}

document.addEventListener("keydown", (event) => {
  const box = document.getElementById("find");
  if (event.key === "/" && box && !event.ctrlKey && !event.metaKey && !event.altKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "Escape" && document.activeElement === box) {
    box.blur();
  }
});

const typed = document.querySelector("input[data-results]");
if (typed) {
  const results = document.getElementById(typed.dataset.results);
  let turn = 0;
  let waiting = null;
  typed.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const mine = ++turn;
      const answer = await fetch("/part/search?q=" + encodeURIComponent(typed.value));
      if (answer.ok && mine === turn) results.innerHTML = await answer.text();
    }, 120);
  });
  typed.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { const first = results.querySelector("a"); if (first) { event.preventDefault(); first.focus(); } }
  });
  results.addEventListener("keydown", (event) => {
    const links = [...results.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && at >= 0 && at + 1 < links.length) { event.preventDefault(); links[at + 1].focus(); }
    if (event.key === "ArrowUp" && at >= 0) { event.preventDefault(); (at ? links[at - 1] : typed).focus(); }
  });
}
