// What all parts of the page share: its state, its elements, and the server. Everything from the data reaches the page as
// text: no string is ever read as HTML.

export const CHECK = 0, LEVEL = 1, ACTION = 2; // of an item of the overview

export const state = {
  overview: null,
  filter: { check: null, level: null, all: false },
  item: null, // as the server gave it
  side: 0, // the sample of a pair that is acted on
  overlay: null, // 0 or 1: the one of a pair that lies on top
  isOpening: false, // the list of classes is asked for: what is typed now is no key
};

export const on = {}; // what buttons made by one part do in another; filled by review.js

export const $ = (id) => document.getElementById(id);
export const button = (name) => document.querySelector(`[data-do="${name}"]`);
export const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
export const titled = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("-", " ");

export function element(tag, options = {}, ...children) {
  const { className, text, ...attributes } = options;
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter(Boolean));
  return made;
}

export function matches([check, level, action], { check: wantedCheck, level: wantedLevel, all }) {
  return (wantedCheck === null || check === wantedCheck) && (wantedLevel === null || level === wantedLevel)
    && (all || action === null);
}

export async function ask(path, said) {
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
export function inTurn(work) {
  document.body.dataset.waiting = waiting += 1;
  queue = queue.then(work).catch((error) => problem(error.message)).then(() => {
    document.body.dataset.waiting = waiting -= 1;
  });
  return queue;
}

export function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

export function say(text) {
  $("said").textContent = text;
}
