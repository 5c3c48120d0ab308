// The list of classes, from which one is chosen by typing.

import { $, element, on, state } from "./page.js";

let found = [], at = 0;

export function openRelabel() {
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
  on.relabel(c.id);
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

