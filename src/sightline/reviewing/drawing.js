// The finding on the page, the filters beside it, and what can be done with it.

import { $, ACTION, CHECK, LEVEL, button, element, inTurn, on, plural, state, titled } from "./page.js";

const LEVEL_WORDS = { error: "error", warning: "warning", info: "note" };
const TINY = 96; // pixels; enlarged with sharp edges, because blur would hide what a model sees

export function draw() {
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
  $("belief").replaceChildren(...belief(item));
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
    choice("All", "findings of every check", filter.check === null, tally(CHECK, null), () => on.narrow({ check: null })),
    ...checks.map((check, i) => choice(titled(check.name), check.looks_for, filter.check === i, tally(CHECK, i),
      () => on.narrow({ check: i }))));
  $("levels").replaceChildren(...[null, 0, 1, 2].filter((i) => i === null || tally(LEVEL, i)[1]).map((i) => choice(
    i === null ? "all" : LEVEL_WORDS[levels[i]], "", filter.level === i, tally(LEVEL, i), () => on.narrow({ level: i }))));
  const left = items.filter((item) => item[ACTION] === null).length;
  $("states").replaceChildren(
    choice("undecided", "", !filter.all, [0, left], () => on.narrow({ all: false })),
    choice("all", "", filter.all, [0, items.length], () => on.narrow({ all: true })));
}

function drawDecision(decision) {
  $("decision").hidden = decision === null;
  if (decision === null) return;
  const at = state.item.samples.findIndex((s) => s.id === decision.sample);
  const which = state.item.samples.length === 2 && ["drop", "relabel"].includes(decision.action) ? ["left ", "right "][at] || "" : "";
  $("decision").className = `decision ${decision.action}`;
  $("decision").textContent = `${which}${decision.said}${decision.why ? `: ${decision.why}` : ""}`;
}

// How probable the class is that a sample has, and the one that is suggested.
function belief({ suggested, samples }) {
  if (!suggested || !suggested.probabilities) return [];
  return [[samples[0].class, "given"], [suggested.title, "suggested"]].map(([name, kind], i) => {
    const share = suggested.probabilities[i];
    const made = element("div", { className: kind },
      element("span", { text: name }), element("i", {}), element("b", { text: `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %` }));
    made.style.setProperty("--share", share);
    return made;
  });
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
          badge(sample.split), element("b", { text: sample.class }),
          item.suggested && item.samples.length === 2 && element("span", { className: "quiet", text: i ? "the most like it of the class that is suggested" : "in question" })),
        element("p", { className: "path", text: sample.key }),
        element("dl", { className: "facts" }, ...sample.facts.map(fact)),
        ...sample.elsewhere.map((text) => element("p", { className: "elsewhere", text: `also ${text}` }))));
    if (item.samples.length === 2) {
      made.classList.toggle("active", i === state.side);
      made.classList.toggle("back", state.overlay !== null && state.overlay !== i);
      made.addEventListener("click", () => on.choose(i));
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

// Without making the pictures anew: they would flicker, and a flicker hides the difference that is looked for.
export function redrawPair() {
  $("members").toggleAttribute("data-overlay", state.overlay !== null);
  [...$("members").children].forEach((figure, i) => {
    figure.classList.toggle("active", i === state.side);
    figure.classList.toggle("back", state.overlay !== null && state.overlay !== i);
  });
  drawActions(state.item);
}
