"use strict";
// Everything from the data reaches the page as text: no string is ever read as HTML.

const LEVEL_WORDS = { error: "error", warning: "warning", info: "note" };
const TINY = 96; // pixels; enlarged with sharp edges, because blur would hide what a model sees

const $ = (id) => document.getElementById(id);
const button = (name) => document.querySelector(`[data-do="${name}"]`);
const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
const titled = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("-", " ");

function element(tag, options = {}, ...children) {
  const { className, text, ...attributes } = options;
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter(Boolean));
  return made;
}

const state = {
  overview: null,
  filter: { check: null, level: null, all: false },
  item: null, // as the server gave it
  side: 0, // the sample of a pair that is acted on
  overlay: null, // 0 or 1: the one of a pair that lies on top
  isOpening: false, // the list of classes is asked for: what is typed now is no key
};

// ---- the server -------------------------------------------------------------------------------------------------

async function ask(path, said) {
  const sent = said === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said), keepalive: true,
  };
  let answer;
  try {
    answer = await fetch(path, sent);
  } catch {
    throw new Error("The review has ended. What is shown as decided is on disk; go on with: sightline review STUDY");
  }
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

// One thing after the other: ten quick keys are ten decisions, each made on the finding that is shown when it is its turn.
let queue = Promise.resolve();
let waiting = 0;
function inTurn(work) {
  document.body.dataset.waiting = waiting += 1;
  queue = queue.then(work).catch((error) => problem(error.message)).then(() => {
    document.body.dataset.waiting = waiting -= 1;
  });
  return queue;
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

// ---- what is shown ----------------------------------------------------------------------------------------------

const CHECK = 0, LEVEL = 1, ACTION = 2;

function matches([check, level, action], { check: wantedCheck, level: wantedLevel, all }) {
  return (wantedCheck === null || check === wantedCheck) && (wantedLevel === null || level === wantedLevel)
    && (all || action === null);
}

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

function draw() {
  drawProgress();
  drawFilters();
  const item = state.item;
  $("item").hidden = item === null;
  $("empty").hidden = item !== null;
  if (item === null) return drawEmpty();
  const level = $("level");
  level.className = `badge ${item.level}`;
  level.textContent = LEVEL_WORDS[item.level];
  $("check").textContent = titled(item.check);
  const same = state.overview.items.flatMap(([check], n) => (check === state.overview.items[item.n][CHECK] ? [n] : []));
  $("position").textContent = `${(same.indexOf(item.n) + 1).toLocaleString("en")} of ${same.length.toLocaleString("en")}`;
  $("score").textContent = `score ${item.score.toFixed(2)}`;
  const messages = item.messages.length ? item.messages : [item.subject];
  $("messages").replaceChildren(
    ...(item.samples.length ? [] : [element("p", { className: "subject", text: item.subject })]),
    ...messages.map((text) => element("p", { className: "message", text })));
  drawDecision(item.decision);
  drawMembers(item);
  $("galleries").replaceChildren(...item.galleries.map(gallery));
  $("facts").replaceChildren(...item.facts.map(fact));
  drawActions(item);
}

function drawEmpty() {
  const { items } = state.overview;
  const left = items.filter((item) => item[ACTION] === null).length;
  const isDone = items.length > 0 && left === 0;
  $("empty-title").textContent = !items.length ? "Nothing to decide" : isDone ? "All decided" : "Nothing here";
  $("empty-text").textContent = !items.length ? "The audit found nothing."
    : isDone ? "Every finding has a decision, and every decision is on disk. Carry them out with:"
      : `No undecided finding is left among those chosen; ${plural(left, "finding")} elsewhere.`;
  $("empty-command").hidden = !isDone;
  $("empty-command").textContent = "sightline review STUDY --apply";
  for (const name of ["keep", "drop", "relabel", "suggested", "merge"]) button(name).disabled = true;
  button("suggested").hidden = true;
}

function drawProgress() {
  const { items } = state.overview;
  const done = items.filter((item) => item[ACTION] !== null).length;
  const text = `${done.toLocaleString("en")} of ${items.length.toLocaleString("en")} decided`;
  $("bar").style.setProperty("--share", items.length ? done / items.length : 1);
  $("progress").setAttribute("aria-label", text);
  $("count").textContent = text;
}

function drawFilters() {
  const { checks, levels, items } = state.overview;
  const { filter } = state;
  const tally = (key, value) => {
    const of = items.filter((item) => value === null || item[key] === value);
    return [of.filter((item) => item[ACTION] !== null).length, of.length];
  };
  const choice = (name, title, isOn, [done, total], choose) => {
    const made = element("button", { type: "button", "aria-pressed": String(isOn), title },
      element("span", { text: name }), element("span", { className: "tally", text: done ? `${done} / ${total}` : String(total) }));
    made.style.setProperty("--share", total ? done / total : 0);
    made.addEventListener("click", () => { made.blur(); inTurn(choose); });
    return element("li", {}, made);
  };
  $("checks").replaceChildren(
    choice("All", "findings of every check", filter.check === null, tally(CHECK, null), () => narrow({ check: null })),
    ...checks.map((check, i) => choice(titled(check.name), check.looks_for, filter.check === i, tally(CHECK, i),
      () => narrow({ check: i }))));
  $("levels").replaceChildren(...[null, 0, 1, 2].filter((i) => i === null || tally(LEVEL, i)[1]).map((i) => choice(
    i === null ? "all" : LEVEL_WORDS[levels[i]], "", filter.level === i, tally(LEVEL, i), () => narrow({ level: i }))));
  const left = items.filter((item) => item[ACTION] === null).length;
  $("states").replaceChildren(
    choice("undecided", "", !filter.all, [0, left], () => narrow({ all: false })),
    choice("all", "", filter.all, [0, items.length], () => narrow({ all: true })));
}

function drawDecision(decision) {
  $("decision").hidden = decision === null;
  if (decision === null) return;
  const at = state.item.samples.findIndex((s) => s.id === decision.sample);
  const which = state.item.samples.length === 2 && ["drop", "relabel"].includes(decision.action) ? ["left ", "right "][at] || "" : "";
  $("decision").className = `decision ${decision.action}`;
  $("decision").textContent = `${which}${decision.said}${decision.why ? `: ${decision.why}` : ""}`;
}

function drawMembers(item) {
  const box = $("members");
  box.className = `members n${item.samples.length}`;
  box.toggleAttribute("data-overlay", state.overlay !== null);
  box.replaceChildren(...item.samples.map((sample, i) => {
    const made = element("figure", { className: "member" },
      frame(sample, 1280),
      element("figcaption", {},
        element("p", { className: "who" },
          item.samples.length === 2 && element("kbd", { text: String(i + 1) }),
          badge(sample.split), element("b", { text: sample.class })),
        element("p", { className: "path", text: sample.key }),
        element("dl", { className: "facts" }, ...sample.facts.map(fact)),
        ...sample.elsewhere.map((text) => element("p", { className: "elsewhere", text: `also ${text}` }))));
    if (item.samples.length === 2) {
      made.classList.toggle("active", i === state.side);
      made.classList.toggle("back", state.overlay !== null && state.overlay !== i);
      made.addEventListener("click", () => choose(i));
    }
    const struck = item.decision && item.decision.action === "drop" && item.decision.sample === sample.id;
    made.classList.toggle("dropped", Boolean(struck));
    return made;
  }));
}

function frame(sample, side) {
  const box = element("div", { className: "frame" });
  if (sample.row === null) {
    box.append(element("span", { className: "no-image", text: sample.why_not }));
    return box;
  }
  const image = element("img", { src: `picture/${sample.row}/${side}`, alt: `${sample.key}, ${sample.class}`, draggable: "false" });
  image.addEventListener("load", () => image.classList.toggle("tiny", Math.max(image.naturalWidth, image.naturalHeight) <= TINY));
  image.addEventListener("error", () => image.replaceWith(element("span", { className: "no-image", text: "the image cannot be read" })));
  box.append(image);
  return box;
}

const badge = (split) => element("span", { className: `split ${split || "none"}`, text: split || "in no split" });
const fact = ([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value }));

function gallery({ title, samples }) {
  return element("section", { className: "gallery" }, element("h3", { text: title }),
    element("div", { className: "thumbs" }, ...samples.map((s) => element("figure", { title: s.key }, frame(s, 256),
      element("figcaption", {}, element("span", { text: s.class }))))));
}

function drawActions(item) {
  const can = (action) => item.actions.includes(action);
  const isSealed = Boolean(item.samples.length && item.samples[state.side].sealed);
  button("keep").disabled = !can("keep");
  button("drop").disabled = !can("drop") || isSealed;
  button("relabel").disabled = !can("relabel") || isSealed;
  button("merge").disabled = !can("merge-group");
  button("suggested").hidden = item.suggested === null;
  button("suggested").disabled = item.samples.length > 0 && item.samples[0].sealed;
  $("suggested-label").textContent = item.suggested === null ? "" : `it is ${item.suggested.title}`;
  $("drop-label").textContent = item.samples.length === 2 ? `drop ${["left", "right"][state.side]}` : "drop";
}

// ---- going about ------------------------------------------------------------------------------------------------

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

// Without making the pictures anew: they would flicker, and a flicker hides the difference that is looked for.
function redrawPair() {
  $("members").toggleAttribute("data-overlay", state.overlay !== null);
  [...$("members").children].forEach((figure, i) => {
    figure.classList.toggle("active", i === state.side);
    figure.classList.toggle("back", state.overlay !== null && state.overlay !== i);
  });
  drawActions(state.item);
}

// ---- deciding ---------------------------------------------------------------------------------------------------

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

function say(text) {
  $("said").textContent = text;
}

// ---- relabelling ------------------------------------------------------------------------------------------------

let found = [], at = 0;

function openRelabel() {
  state.isOpening = false;
  const item = state.item;
  if (item === null || !item.actions.includes("relabel") || item.samples[state.side].sealed) return;
  $("relabel-now").textContent = `${item.samples[state.side].key} is ${item.samples[state.side].class} now.`;
  $("class-name").value = "";
  search();
  $("relabel").showModal();
  $("class-name").focus();
}

// Classes whose name begins with what was typed, then those with a word that does, then those that hold it anywhere.
function search() {
  const typed = $("class-name").value.trim().toLowerCase();
  const now = state.item.samples[state.side].class_id;
  const rank = (c) => {
    const name = c.title.toLowerCase(), id = c.id.toLowerCase();
    if (name === typed || id === typed) return 0;
    if (name.startsWith(typed) || id.startsWith(typed)) return 1;
    if (name.split(/[\s_,-]+/).some((word) => word.startsWith(typed))) return 2;
    return name.includes(typed) ? 3 : 4;
  };
  const suggested = state.item.suggested && !typed ? state.item.suggested.id : null;
  found = state.overview.classes.filter((c) => c.id !== now && rank(c) < 4)
    .map((c) => [c.id === suggested ? -1 : rank(c), c]).sort((a, b) => a[0] - b[0]).map(([, c]) => c).slice(0, 50);
  at = 0;
  drawClasses();
}

function drawClasses() {
  $("class-list").replaceChildren(...found.map((c, i) => {
    const made = element("li", { role: "option", id: `class-${i}`, "aria-selected": String(i === at), text: c.title });
    made.addEventListener("click", () => take(i));
    return made;
  }));
  if (found.length) {
    $("class-name").setAttribute("aria-activedescendant", `class-${at}`);
    $("class-list").children[at].scrollIntoView({ block: "nearest" });
  }
}

function take(i) {
  const c = found[i];
  if (!c) return;
  $("relabel").close();
  inTurn(() => decide("relabel", { value: c.id }));
}

$("class-name").addEventListener("input", search);
$("class-name").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    at = Math.min(Math.max(at + (event.key === "ArrowDown" ? 1 : -1), 0), Math.max(found.length - 1, 0));
    drawClasses();
  } else if (event.key === "Enter") {
    event.preventDefault();
    take(at);
  }
});

// ---- keys and buttons -------------------------------------------------------------------------------------------

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
