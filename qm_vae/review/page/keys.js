// What the keys do, everywhere on the page but in fields.

import * as page from "./page.js";

const FIELDS = "input:not([type=range]), textarea, select, dialog";
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function arrow(event) {
  const [x, y] = STEPS[event.key];
  if (page.editing()) {
    const by = event.ctrlKey ? 1 : 8;
    return event.shiftKey ? page.nudge(0, 0, x * by, y * by) : page.nudge(x * by, y * by, 0, 0);
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
  End: () => page.step(page.frames()),
  " ": () => page.play(),
  a: () => page.add(),
  d: () => page.decide("drop"),
  k: () => page.decide("keep"),
  h: () => page.decide("hide"),
  e: () => page.edit(true),
  o: () => page.toggleOriginal(),
  z: () => page.undo(),
  "[": () => page.bound(false),
  "]": () => page.bound(true),
  Delete: () => page.remove(),
  Backspace: () => page.remove(),
  Enter: () => page.edit(!page.editing()),
  Escape: () => (page.editing() ? page.edit(false) : page.choose(null)),
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
    const act = /^[1-9]$/.test(event.key) ? () => page.nth(Number(event.key)) : KEYS[event.key] || KEYS[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
