// What the keys do, everywhere on the page but in fields.

import * as deciding from "./deciding.js";
import * as page from "./page.js";
import { file, state } from "./state.js";

const FIELDS = "input:not([type=range]), textarea, select, dialog";
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function arrow(event) {
  const [x, y] = STEPS[event.key];
  if (state.editing) {
    const by = event.ctrlKey ? 1 : 8;
    return event.shiftKey ? deciding.nudge(0, 0, x * by, y * by) : deciding.nudge(x * by, y * by, 0, 0);
  }
  if (x) return page.step(x * (event.shiftKey ? 10 : 1));
  return false; // up and down scroll the page
}

const KEYS = {
  n: () => page.nextMoment(1),
  p: () => page.nextMoment(-1),
  ".": () => page.step(1),
  ",": () => page.step(-1),
  Home: () => page.step(-Infinity),
  End: () => page.step(file().frames),
  " ": () => page.play(),
  a: () => deciding.add(),
  d: () => deciding.decide("drop"),
  k: () => deciding.decide("keep"),
  h: () => deciding.decide("hide"),
  e: () => deciding.edit(true),
  o: () => page.toggleOriginal(),
  z: () => deciding.undo(),
  "[": () => deciding.bound(false),
  "]": () => deciding.bound(true),
  Delete: () => deciding.remove(),
  Backspace: () => deciding.remove(),
  Enter: () => deciding.edit(!state.editing),
  Escape: () => (state.editing ? deciding.edit(false) : deciding.choose(null)),
  "?": () => document.getElementById("help").showModal(),
};

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.target.closest(FIELDS) || event.altKey || event.metaKey) return;
    if (event.key in STEPS) {
      if (arrow(event) !== false) event.preventDefault();
      return;
    }
    if (event.ctrlKey) return;
    const button = event.target.closest("button, a, summary");
    if (button && (event.key === " " || event.key === "Enter")) return; // they press it
    const act = /^[1-9]$/.test(event.key) ? () => deciding.nth(Number(event.key)) : KEYS[event.key] || KEYS[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
