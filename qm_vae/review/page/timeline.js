// The time line: doubtful moments on top, drawn regions, and the tracks in as few rows as they fit.

import { make } from "./stage.js";

const ROW = 6, GAP = 2, MOST_ROWS = 24;

// Gives every part of a track its row; those that fit nowhere share the last.
function lanes(tracks) {
  const ends = [], placed = [];
  for (const one of [...tracks].sort((a, b) => a.parts[0][0] - b.parts[0][0])) {
    const first = one.parts[0][0], last = one.parts[one.parts.length - 1][1];
    let row = ends.findIndex((end) => end < first);
    if (row < 0) row = Math.min(ends.length, MOST_ROWS - 1);
    ends[row] = Math.max(last, ends[row] ?? -1);
    placed.push([row, one]);
  }
  return [placed, ends.length];
}

const RANK = ["found", "filled", "open", "held", "lost"], PIECES = 1000;

// Of the bars [row, first, last, kind] that begin and end within one piece of the line, one: the most doubtful. An hour has
// tens of thousands of them, and the line some hundred pixels.
function joined(bars, frames) {
  const piece = (frame) => Math.floor((frame * PIECES) / Math.max(frames, PIECES)), newest = new Map(), made = [];
  for (const [row, first, last, kind] of bars) {
    const before = newest.get(row);
    if (before && piece(before[1]) === piece(last)) {
      before[2] = Math.max(before[2], last);
      if (RANK.indexOf(kind) > RANK.indexOf(before[3])) before[3] = kind;
    } else {
      const one = [row, first, last, kind];
      made.push(one), newest.set(row, one);
    }
  }
  return made;
}

export function draw(svg, frames, tracks, moments, regions, isSeen, isOpen) {
  const [placed, rows] = lanes(tracks), extra = regions.length ? 1 : 0;
  const height = (rows + 1 + extra) * (ROW + GAP) + GAP;
  const y = (row) => GAP + row * (ROW + GAP);
  const bar = (row, first, last, kind) => make("rect", { x: first, y: y(row), width: last - first + 1, height: ROW, class: kind });
  const parts = [];
  for (const one of moments) parts.push(bar(0, one.first, one.last, `doubt${isSeen(one) ? " seen" : ""}`));
  for (const one of regions) parts.push(bar(1, one.frames[0], one.frames[1] ?? frames - 1, "drawn"));
  const bars = placed.flatMap(([row, one]) => one.parts.map(([first, last, how]) => [row + 1 + extra, first, last, isOpen(one.track) ? "open" : how]));
  for (const one of joined(bars, frames)) parts.push(bar(...one));
  svg.setAttribute("viewBox", `0 0 ${frames} ${height}`);
  svg.style.height = `${Math.min(height, 220)}px`;
  svg.replaceChildren(...parts, make("line", { class: "now", y1: 0, y2: height }));
}

export function mark(svg, frame) {
  const now = svg.querySelector(".now");
  if (now) for (const end of ["x1", "x2"]) now.setAttribute(end, frame + 0.5);
}
