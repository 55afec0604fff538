// Keeps a page as the service has it: asks again while the page is seen, and takes in what has changed. No script and no markup is made from names here.
import { confirmed } from "./actions.js";

const main = document.querySelector("main");
const LEAST = 2000;
const MOST = 15000;
const SLOW = 30000;
let tag = null;
let timer = 0;
let asked = 0;
let wait = LEAST;
let slowAt = -SLOW;
let slowFor = null;
let summary = null;

function address(path) {
  return path + location.search;
}

function say(text) {
  const place = document.getElementById("live-state");
  if (place.textContent !== text) place.textContent = text;
}

/** Whether somebody is typing or choosing in a part: it is left alone until they are done. */
function isBusy(part) {
  const active = document.activeElement;
  return part.contains(active) && (active.matches("input[type=search], input[type=text], select") || Boolean(part.querySelector("details[open]")?.contains(active)));
}

const waiting = new Map();

/** Whether a part, as the page brought it, has this content already: it need not be laid out again. */
function isTheSame(part, html) {
  const made = part.cloneNode(false);
  made.innerHTML = html;
  return made.isEqualNode(part);
}

function setPart(name, html, isForced) {
  const part = document.querySelector(`[data-part="${name}"]`);
  if (!part || part.html === html) return;
  if (!isForced && isBusy(part)) {
    waiting.set(name, html);
    return;
  }
  waiting.delete(name);
  if (part.html === undefined && isTheSame(part, html)) return void (part.html = html);
  const key = document.activeElement && part.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const ticked = [...part.querySelectorAll("input[type=checkbox][name=id]:checked")].map((one) => one.dataset.key);
  const scrolled = [...part.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
  const isOpen = [...part.querySelectorAll("details")].map((one) => one.open);
  part.innerHTML = part.html = html;
  part.querySelectorAll(".scroll").forEach((one, at) => scrolled[at] && one.scrollTo(...scrolled[at]));
  part.querySelectorAll("details").forEach((one, at) => (one.open = Boolean(isOpen[at])));
  part.querySelectorAll("[data-dialog]").forEach((one) => (one.disabled = false));
  part.querySelectorAll("[data-key]").forEach((one) => {
    if (ticked.includes(one.dataset.key)) one.checked = true;
    if (key && one.dataset.key === key) one.focus({ preventScroll: true });
  });
}

function takeIn(changes, isForced) {
  for (const [name, html] of Object.entries(changes.parts)) setPart(name, html, isForced);
  gallery?.then((one) => one.show(changes.pictures, changes.choices));
}

async function fetchChanges(path, headers = {}) {
  const response = await fetch(address(path), { headers: { Accept: "application/json", ...headers }, cache: "no-store" });
  if (response.status === 304) return null;
  const changes = await response.json();
  if (!response.ok) throw Object.assign(new Error(changes.message), { status: response.status });
  if (headers["If-None-Match"] !== undefined || path === main.dataset.live) tag = response.headers.get("ETag");
  return changes;
}

/** Look whether anything has changed. With `isForced`, whatever is typed meanwhile is replaced: it was asked for. */
export async function refresh(isForced = false) {
  clearTimeout(timer);
  const number = ++asked;
  const began = performance.now();
  try {
    const changes = await fetchChanges(main.dataset.live, tag && !isForced ? { "If-None-Match": tag } : {});
    if (number !== asked) return;
    if (changes) takeIn(changes, isForced);
    wait = Math.max(LEAST, 8 * (performance.now() - began));
    say("");
    summary = changes?.parts.summary ?? summary;
    if (main.dataset.slow) refreshSlow(isForced).catch(() => (slowFor = null));
  } catch (error) {
    if (number !== asked) return;
    wait = Math.min(MOST, wait * 2);
    if (error.status === 401) return say("You are signed out. Type `trialflow open` in a terminal.");
    say(error.status ? error.message : "The service does not answer; trying again");
  } finally {
    if (number === asked && !document.hidden) timer = setTimeout(refresh, Math.min(MOST, wait));
  }
}

async function refreshSlow(isForced) {
  if (!isForced && (slowFor === summary || performance.now() - slowAt < SLOW)) return;
  slowAt = performance.now();
  slowFor = summary;
  const changes = await fetchChanges(main.dataset.slow);
  if (changes) takeIn(changes, isForced);
}

function go(query) {
  history.pushState(null, "", location.pathname + query);
  refresh(true);
}

function choose(group, choice) {
  const query = new URLSearchParams(location.search);
  query.set(group, choice);
  history.replaceState(null, "", `${location.pathname}?${query}`);
  slowFor = null;
  refresh(true);
}

/** The query of a table's link or form, with what the pictures have in the address beside it. */
function merged(query) {
  const pictures = [...document.querySelectorAll("[data-group]")].map((one) => one.dataset.group);
  const kept = [...new URLSearchParams(location.search)].filter(([name]) => pictures.includes(name));
  const joined = new URLSearchParams([...new URLSearchParams(query), ...kept].filter(([, value]) => value !== ""));
  return `?${joined}`;
}

async function copy(button) {
  const response = await fetch(button.dataset.copy);
  const text = await response.text();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = `Copied ${text.trimEnd().split("\n").length - 1} rows`;
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("a[data-query], [data-copy], [data-sign-out]");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (target.dataset.copy) return void copy(target);
  if (target.dataset.signOut) return void confirmed(target.dataset.signOut, {}).then(() => location.reload());
  event.preventDefault();
  go(merged(target.search));
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-filters]")) return;
  event.preventDefault();
  go(merged(`?${new URLSearchParams(new FormData(event.target))}`));
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-filters]");
  if (form && event.target.matches("select, input[name=state], input[name=archived]")) form.requestSubmit();
});
document.addEventListener("focusout", () => setTimeout(() => waiting.forEach((html, name) => setPart(name, html)), 0));
document.addEventListener("visibilitychange", () => !document.hidden && refresh());
document.addEventListener("trialflow-changed", () => refresh(true));
addEventListener("popstate", () => refresh(true));

/** plotly, which is large: it is fetched from the beginning, and executed after the page has been painted. */
async function plotly() {
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  await new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: document.getElementById("plotly").href, onload: done });
    script.onerror = () => failed(new Error("plotly.min.js could not be fetched"));
    document.head.append(script);
  });
}

async function galleryIn(place) {
  const { Gallery } = await import("./draw.js");
  const themes = JSON.parse(document.getElementById("themes").textContent);
  const toRun = (id) => (main.dataset.linked && Number.isInteger(id) ? main.dataset.runs + id : null);
  return new Gallery(place, themes, { choose, address: toRun, webgl: Boolean(main.dataset.webgl), plotly: plotly() });
}

const place = document.querySelector("[data-pictures]");
const gallery = place && galleryIn(place);
if (main?.dataset.live) refresh();
