// Going about the findings, deciding on them, and the keys for both.

import { draw, redrawPair } from "./drawing.js";
import { $, ACTION, LEVEL, ask, button, inTurn, matches, on, problem, say, state, titled } from "./page.js";
import { openRelabel } from "./relabelling.js";

function chosen(filter = state.filter) {
  return state.overview.items.flatMap((item, n) => (matches(item, filter) ? [n] : []));
}

async function show(n) {
  state.item = await ask(`item/${n}`);
  state.side = state.item.samples.findIndex((s) => !s.sealed && !s.elsewhere.length);
  if (state.side < 0) state.side = 0;
  state.overlay = null;
  draw();
  prefetch();
}

function prefetch() {
  const n = following(1, (item) => matches(item, state.filter));
  if (n === null || n === state.item.n) return;
  ask(`item/${n}`).then((item) => item.samples.forEach((s) => {
    if (s.row !== null) new Image().src = `picture/${s.row}/1280`;
  })).catch(() => {});
}

// The next item, from the present one on and round, for which `wanted` holds; null where there is none.
function following(step, wanted) {
  const { items } = state.overview;
  const from = state.item === null ? (step > 0 ? -1 : items.length) : state.item.n;
  for (let i = 1; i <= items.length; i += 1) {
    const n = (((from + step * i) % items.length) + items.length) % items.length;
    if (wanted(items[n])) return n;
  }
  return null;
}

async function go(step, filter = state.filter) {
  const n = following(step, (item) => matches(item, filter));
  if (n !== null) return show(n);
  state.item = null;
  draw();
}

async function narrow(change) {
  Object.assign(state.filter, change);
  if (state.item !== null && matches(state.overview.items[state.item.n], state.filter)) draw();
  else {
    const [first] = chosen();
    if (first === undefined) { state.item = null; draw(); } else await show(first);
  }
  $("main").scrollTop = 0;
}

function cycled(values, now) {
  return values[(values.indexOf(now) + 1) % values.length];
}

function choose(side) {
  if (state.item === null || state.item.samples.length !== 2) return;
  state.side = side;
  if (state.overlay !== null) state.overlay = side;
  redrawPair();
}

function overlay() {
  if (state.item === null || state.item.samples.length !== 2) return;
  state.overlay = state.overlay === null ? state.side : 1 - state.overlay;
  redrawPair();
}

async function decide(action, { target = state.side, value = "" } = {}) {
  const item = state.item;
  if (item === null || !item.actions.includes(action)) return;
  problem("");
  const made = await ask("decide", { n: item.n, action, target: item.samples.length ? target : 0, value, why: $("why").value });
  $("why").value = "";
  state.overview.items[item.n][ACTION] = made.decision.action;
  say(`${titled(item.check)}: ${item.subject} ${made.decision.said}`);
  state.item = made;
  await go(1, { ...state.filter, all: false });
}

async function undo() {
  problem("");
  const item = await ask("undo", {});
  if (item === null) return say("There is nothing to undo.");
  state.overview.items[item.n][ACTION] = item.decision === null ? null : item.decision.action;
  if (!matches(state.overview.items[item.n], state.filter)) state.filter = { check: null, level: null, all: item.decision !== null };
  say(`Taken back: ${titled(item.check)}, ${item.subject}`);
  await show(item.n);
}

const DO = {
  previous: () => inTurn(() => go(-1)),
  next: () => inTurn(() => go(1)),
  keep: () => inTurn(() => decide("keep")),
  drop: () => inTurn(() => decide("drop")),
  merge: () => inTurn(() => decide("merge-group")),
  suggested: () => inTurn(() => state.item?.suggested && decide("relabel", { target: 0, value: state.item.suggested.id })),
  relabel: () => { state.isOpening = true; inTurn(openRelabel); },
  undo: () => inTurn(undo),
  undecided: () => inTurn(() => go(1, { ...state.filter, all: false })),
  check: () => inTurn(() => narrow({ check: cycled([null, ...state.overview.checks.keys()], state.filter.check) })),
  level: () => inTurn(() => narrow({ level: cycled([null, 0, 1, 2].filter((i) => i === null || state.overview.items.some((item) => item[LEVEL] === i)), state.filter.level) })),
  all: () => inTurn(() => narrow({ all: !state.filter.all })),
  left: () => inTurn(() => choose(0)),
  right: () => inTurn(() => choose(1)),
  overlay: () => inTurn(overlay),
  side: () => inTurn(() => { if (state.overlay !== null) { state.overlay = null; redrawPair(); } }),
  zoom: () => document.body.classList.toggle("zoomed"),
  why: () => $("why").focus(),
  help: () => $("help").showModal(),
};
const KEYS = {
  k: "keep", d: "drop", r: "relabel", s: "suggested", m: "merge", u: "undo", n: "next", p: "previous", j: "undecided",
  ArrowRight: "next", ArrowLeft: "previous", 1: "left", 2: "right", " ": "overlay", Escape: "side", z: "zoom",
  w: "why", c: "check", l: "level", a: "all", "?": "help",
};
const DECIDING = new Set(["keep", "drop", "relabel", "suggested", "merge", "undo"]);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target === $("why")) {
    if (event.key === "Enter" || event.key === "Escape") { event.preventDefault(); $("why").blur(); }
    return;
  }
  if (state.isOpening) return event.preventDefault();
  const name = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!name || (event.repeat && DECIDING.has(name))) return; // a key that is held down decides once
  event.preventDefault();
  DO[name]();
});
for (const made of document.querySelectorAll("[data-do]")) {
  made.addEventListener("click", () => { made.blur(); DO[made.dataset.do](); });
}
$("help-button").addEventListener("click", () => { $("help-button").blur(); DO.help(); });

Object.assign(on, { narrow, choose, relabel: (value) => inTurn(() => decide("relabel", { value })) });

inTurn(async () => {
  state.overview = await ask("overview");
  const { name, quiet, sealed, file, items } = state.overview;
  document.title = `${name} · Sightline review`;
  $("dataset").textContent = name;
  $("file").textContent = file;
  $("quiet").textContent = quiet.length ? `Nothing found in ${quiet.map((q) => q.replaceAll("-", " ")).join(", ")}.` : "";
  $("sealed").hidden = !sealed;
  const isDone = items.length > 0 && items.every((item) => item[ACTION] !== null);
  state.filter.all = false;
  if (!items.length || isDone) draw();
  else await go(1);
});
