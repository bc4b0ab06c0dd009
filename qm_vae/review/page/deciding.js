// What a person decides: every change is saved at once and can be undone.

import * as model from "./model.js";
import { go, show } from "./page.js";
import * as server from "./server.js";
import { $, alarm, detail, file, region, rows, say, state } from "./state.js";

export let saving = Promise.resolve(); // the last answer that is waited for

export function save(number = state.file) {
  const { decisions, seen } = state.job.files[number];
  const content = { decisions, seen: [...seen] };
  saving = saving.then(async () => {
    try {
      const done = await server.send("PUT", `files/${number}`, { ...content, revision: state.job.revision });
      state.job.revision = done.revision;
      $("status").textContent = `Saved in ${state.job.review_file}.`;
    } catch (error) {
      $("status").textContent = "Not saved.";
      alarm(error);
    }
  });
  return saving;
}

export function change(decisions) {
  state.undone.push([state.file, rows()]);
  file().decisions = decisions;
  state.job.signed = null;
  save();
  show();
}

export function undo() {
  const last = state.undone.pop();
  if (!last) return say("Nothing to undo.");
  const [number, decisions] = last;
  state.job.files[number].decisions = decisions;
  state.chosen = null, state.editing = false;
  save(number);
  go(number, number === state.file ? state.frame : 0);
  say("Undone.");
}

export function decide(action, track = state.chosen?.track) {
  if (track === undefined) return say("Select a face first: keys 1 to 9, or click on its box.");
  const face = state.row.faces.find((one) => one.track === track);
  const box = file().kind === "picture" && face ? face.box : null;
  // Left visible by --keep, and not by a decision: then "hide" is a decision of its own.
  const visible = face ? !face.hidden && !model.verdict(file().applied, track, state.frame) : false;
  change(model.decide(rows(), action, track, state.range, visible, box));
  say(`${model.describe({ action, track, ...(state.range && { frames: state.range }) }, file().kind === "video")}.`);
}

export function add(box) {
  const { width, height } = detail(), side = Math.round(Math.min(width, height) / 5);
  const [first, last] = state.range || [state.frame, state.frame];
  const made = box || [Math.round((width - side) / 2), Math.round((height - side) / 2), side, side];
  const decisions = [...rows(), { action: "add", frames: [first, last], boxes: [[Math.min(Math.max(state.frame, first), last ?? state.frame), ...made]] }];
  state.chosen = { region: decisions.length - 1 }, state.editing = !box, state.range = null;
  change(decisions);
  say(box ? `Region drawn at ${made.join(", ")}.` : "A region is in the middle of the picture: move it over the face.");
}

function replaceRegion(index, row) { change(rows().map((one, i) => (i === index ? row : one))); }

export function place(box, index = state.chosen.region) {
  const { width, height } = detail(), [w, h] = [Math.max(Math.min(box[2], width), 1), Math.max(Math.min(box[3], height), 1)];
  const inside = [Math.min(Math.max(box[0], 1 - w), width - 1), Math.min(Math.max(box[1], 1 - h), height - 1), w, h];
  replaceRegion(index, model.placed(rows()[index], state.frame, inside));
  say(`Region at ${inside.map(Math.round).join(", ")}.`);
}

export function nudge(dx, dy, dw, dh) {
  const box = model.boxAt(region(), state.frame);
  place([box[0] + dx, box[1] + dy, box[2] + dw, box[3] + dh]);
}

export function bound(end) {
  if (region()) {
    const [first, last] = region().frames, at = state.frame;
    replaceRegion(state.chosen.region, end ? model.spanned(region(), Math.min(first, at), at) : model.spanned(region(), at, last === null ? null : Math.max(last, at)));
    return say(model.describe(region(), true));
  }
  const [first, last] = state.range || [state.frame, state.frame];
  state.range = end ? [Math.min(first, state.frame), state.frame] : [state.frame, Math.max(last, state.frame)];
  show();
  say(`The next decision is about frames ${state.range[0]} to ${state.range[1]}.`);
}

export function remove(index = state.chosen?.region) {
  if (index === undefined) return;
  state.chosen = null, state.editing = false;
  change(rows().filter((_, i) => i !== index));
  say("Taken back.");
}

export function choose(chosen) {
  state.chosen = chosen, state.editing = false;
  if (!chosen) state.range = null;
  show();
}

export function edit(on) { state.editing = Boolean(on && region()); show(); }

export function nth(n) {
  const one = state.row?.faces[n - 1];
  if (one) choose({ track: one.track });
  say(one ? `Track ${one.track}, ${one.how}.` : `There is no face ${n} here.`);
}

export function changedRegion() {
  const { first, last, x, y, width, height, method } = Object.fromEntries([...new FormData($("region"))].map(([name, value]) => [name, name === "method" ? value : Math.round(Number(value))]));
  if ([first, last, x, y, width, height].some((value) => !Number.isFinite(value)) || last < first || width < 1 || height < 1) return;
  let row = region();
  const frames = [first, Math.min(last, file().frames - 1)];
  if (row.frames[0] !== frames[0] || row.frames[1] !== frames[1]) row = model.spanned(row, ...frames);
  const now = model.boxAt(row, state.frame).map(Math.round);
  if ([x, y, width, height].some((value, i) => value !== now[i])) row = model.placed(row, state.frame, [x, y, width, height]);
  const { method: _, ...rest_ } = row;
  replaceRegion(state.chosen.region, method ? { ...rest_, method } : rest_);
}
