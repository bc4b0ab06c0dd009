// Holds what is shown, decides nothing by itself: keys and clicks change it, `show` draws it.

import * as keys from "./keys.js";
import * as lists from "./lists.js";
import * as model from "./model.js";
import * as server from "./server.js";
import * as stage from "./stage.js";
import * as timeline from "./timeline.js";

const $ = (id) => document.getElementById(id);
const faces = new server.Faces();
const details = new Map(); // file -> size, rate, tracks
const state = { job: null, file: 0, frame: 0, moment: -1, chosen: null, range: null, original: false, editing: false, playing: 0, row: null, undone: [] };
let shown = 0, changed = 0, saving = Promise.resolve(), moments;

const file = () => state.job.files[state.file];
const detail = () => details.get(state.file);
const rows = () => file().decisions;
const regions = () => rows().map((row, i) => [row, i]).filter(([row]) => row.action === "add");
const keyOf = (one) => `${one.why}:${one.track}:${one.first}`;
const isSeen = (one) => state.job.files[one.file].seen.includes(keyOf(one));
const region = () => (state.chosen?.region === undefined ? null : rows()[state.chosen.region]);
const say = (text) => { $("said").textContent = text; };

function alarm(error) {
  $("alert").hidden = !error;
  $("alert").textContent = error ? error.message || String(error) : "";
}

// --- what is saved ---

function save(number = state.file) {
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

function change(decisions) {
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

// --- what is decided ---

export function decide(action, track = state.chosen?.track) {
  if (track === undefined) return say("Select a face first: keys 1 to 9, or click on its box.");
  const face = state.row.faces.find((one) => one.track === track);
  const box = file().kind === "picture" && face ? face.box : null;
  // Left visible by --keep, and not by a decision: then "hide" is a decision of its own.
  const visible = face ? !face.hidden && !model.verdict(file().applied, track, state.frame) : false;
  change(model.decide(rows(), action, track, state.range, visible, box));
  say(model.describe(rows()[rows().length - 1] || { action, track }, file().kind === "video"));
}

export function add(box) {
  const { width, height } = detail(), side = Math.round(Math.min(width, height) / 5);
  const [first, last] = state.range || [state.frame, state.frame];
  const made = box || [Math.round((width - side) / 2), Math.round((height - side) / 2), side, side];
  const decisions = [...rows(), { action: "add", frames: [first, last], boxes: [[Math.min(Math.max(state.frame, first), last ?? state.frame), ...made]] }];
  state.chosen = { region: decisions.length - 1 }, state.editing = !box, state.range = null;
  change(decisions);
  say(box ? `Region drawn at ${made.join(", ")}.` : "Region: arrow keys move it, with Shift they resize it, Enter ends.");
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

// --- where one is ---

export async function go(number, frame, moment = state.moment) {
  const other = number !== state.file || !details.has(number);
  if (other) state.chosen = null, state.range = null, state.editing = false;
  state.file = number, state.moment = moment;
  state.frame = Math.min(Math.max(frame, 0), file().frames - 1);
  try {
    if (other && !file().failures.length) details.set(number, await server.get(`files/${number}`));
    if (other) faces.clear();
    await show(other);
  } catch (error) { alarm(error); }
}

export function step(count) { return go(state.file, state.frame + count); }

export function toMoment(i) {
  const one = state.job.moments[i];
  return one ? go(one.file, one.frame, i) : say("There is no further moment.");
}

export function nextMoment(by) {
  const left = state.job.moments[state.moment];
  if (left && by > 0 && !isSeen(left)) {
    state.job.files[left.file].seen.push(keyOf(left));
    moments.tick(state.moment, true);
    save(left.file);
  }
  const target = state.moment + by;
  if (target >= state.job.moments.length) { show(); return say("That was the last doubtful moment."); }
  return toMoment(Math.max(target, 0));
}

export function play() {
  const on = !state.playing;
  state.playing = on ? setTimeout(tick, 0) : clearTimeout(state.playing) || 0;
  $("play").setAttribute("aria-pressed", String(on));
}

async function tick() {
  if (!state.playing) return;
  const began = performance.now();
  if (state.frame >= file().frames - 1) return play();
  await step(1);
  if (state.playing) state.playing = setTimeout(tick, Math.max(1000 / (detail()?.rate || 25) - (performance.now() - began), 0));
}

export function toggleOriginal() {
  if (!file().original) return say("The original is not there.");
  state.original = !state.original;
  show();
}

export const editing = () => state.editing;
export const frames = () => file().frames;

// --- what is seen ---

function label(one, state_) { return `${one.track} ${one.how}${state_ === "hide" ? "" : state_ === "drop" ? ", no face" : ", visible"}`; }

function boxes(row, draft) {
  const made = row.faces.map((one) => {
    const now = stateOf(one);
    return { box: one.box, kind: now === "hide" ? one.how : "open", label: label(one, now), chosen: state.chosen?.track === one.track, track: one.track };
  });
  for (const [one, i] of regions()) {
    const chosen = state.chosen?.region === i;
    if (!model.covers(one, state.frame) && !chosen) continue;
    made.push({ box: draft?.region === i ? draft.box : model.boxAt(one, state.frame), kind: model.covers(one, state.frame) ? "drawn" : "open", label: chosen && state.editing ? "editing" : "drawn", chosen, region: i });
  }
  if (draft && draft.region === undefined) made.push({ box: draft.box, kind: "drawn", label: "", chosen: true });
  return made;
}

// What becomes of a face: hide, drop or keep. The record knows what --keep and --only left.
function stateOf(face) {
  const decided = model.verdict(rows(), face.track, state.frame);
  const before = model.verdict(file().applied, face.track, state.frame);
  return decided || (face.hidden || before ? "hide" : "keep");
}

function load(source, description) {
  return new Promise((done) => {
    const image = $("image");
    image.alt = description;
    if (image.getAttribute("src") === source) return done();
    image.onload = image.onerror = () => done();
    image.src = source;
  });
}

async function show(other = false) {
  const ticket = ++shown, now = detail(), moving = file().kind === "video", one = state.job.moments[state.moment];
  $("file").value = state.file;
  $("reason").textContent = one && one.file === state.file && state.frame >= one.first && state.frame <= one.last ? `${one.track ? `Track ${one.track}: ` : ""}${state.job.why[one.why]}.` : "";
  for (const id of ["time", "line", "legend", "range"]) $(id).toggleAttribute("hidden", !moving);
  const failed = file().failures;
  $("stage").hidden = failed.length > 0;
  if (failed.length) return alarm(`${file().name} could not be protected: ${failed.join("; ")}`);
  const row = await faces.at(state.file, state.frame, file().frames);
  if (ticket !== shown) return;
  state.row = row;
  const place = moving ? `frame ${state.frame} of ${file().frames}` : file().name;
  const side = Math.min($("stage").parentElement.clientWidth, 1200) * devicePixelRatio > 1000 ? 1920 : 960;
  const text = `${state.original ? "Original" : "Protected"}, ${place}. ${row.faces.length} faces${row.faces.map((face) => `; track ${face.track} ${face.how}, ${stateOf(face) === "hide" ? "hidden" : "visible"}`).join("")}${row.blanked ? `; black: ${row.blanked}` : ""}.`;
  await load(server.picture(state.file, state.frame, side, state.original, changed), text);
  if (ticket !== shown) return;
  alarm($("image").naturalWidth ? null : "This frame cannot be shown. Is the file still the one that was protected?");
  $("stage").style.setProperty("--aspect", now.width / now.height);
  stage.draw($("boxes"), now, boxes(row));
  $("stage").classList.toggle("original", state.original);
  $("shown").textContent = state.original ? "Original" : "";
  $("original").setAttribute("aria-pressed", String(state.original));
  $("original").disabled = !file().original;
  $("slider").max = file().frames - 1, $("slider").value = state.frame;
  $("slider").setAttribute("aria-valuetext", place);
  $("clock").textContent = `${state.frame} of ${file().frames}, ${row.time.toFixed(2)} s`;
  $("range").textContent = state.range ? `Next decision: frames ${state.range[0]} to ${state.range[1]}` : "";
  if (!state.playing) rest(row, moving, other, text);
  timeline.mark($("line"), state.frame);
}

function rest(row, moving, other, text) {
  const open = (track) => ["drop", "keep"].includes(model.verdict(rows(), track, state.frame));
  const own = state.job.moments.filter((one) => one.file === state.file);
  if (moving) timeline.draw($("line"), file().frames, detail().tracks, own, regions().map(([one]) => one), isSeen, open);
  const table = row.faces.map((one) => ({ track: one.track, how: one.how, score: one.score, state: stateOf(one), method: model.methodOf(rows(), one.track) }));
  lists.here($("here"), state.job, table, state.chosen?.track, { choose: (track) => choose({ track }), decide, method: (track, name) => change(model.chooseMethod(rows(), track, name)) });
  lists.decided($("decided"), rows(), moving, (one, i) => { choose(one.action === "add" ? { region: i } : { track: one.track }); go(state.file, one.frames ? one.frames[0] : state.frame); }, remove);
  fillRegion();
  moments.mark(state.moment);
  const seen = state.job.moments.filter(isSeen).length, waiting = state.job.files.filter((one) => JSON.stringify(one.applied) !== JSON.stringify(one.decisions)).length;
  $("progress").textContent = `${seen} of ${state.job.moments.length} doubtful moments looked at`;
  $("apply").disabled = !waiting || Boolean(state.job.cannot_apply);
  $("apply").title = state.job.cannot_apply;
  $("signed").textContent = state.job.signed ? `Signed by ${state.job.signed.by}, ${state.job.signed.at}.` : "Not signed.";
  if (other || !state.editing) say(text);
}

function fillRegion() {
  const form = $("region"), one = region();
  form.hidden = !one;
  if (!one || form.contains(document.activeElement)) return;
  const [x, y, width, height] = model.boxAt(one, state.frame).map(Math.round);
  const values = { first: one.frames[0], last: one.frames[1] ?? file().frames - 1, x, y, width, height, method: one.method || "" };
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
}

// --- beginning, applying, signing ---

async function open() {
  state.job = await server.get("job");
  changed += 1;
  details.clear(), faces.clear();
  document.title = `Review of ${state.job.name}`;
  $("name").textContent = state.job.name;
  $("file").replaceChildren(...state.job.files.map((one, i) => new Option(one.name, i)));
  $("file-row").hidden = state.job.files.length < 2;
  $("region").elements.method.replaceChildren(...lists.methods(state.job).map(([value, text]) => new Option(text, value)));
  moments.fill(state.job, isSeen, changed);
  if (!state.job.files.length) throw new Error("This job has no files.");
}

export async function apply() {
  await saving;
  const before = [state.file, state.frame];
  try {
    await server.send("POST", "apply", {});
    $("apply").disabled = true;
    let now = { running: true };
    while (now.running) {
      await new Promise((done) => setTimeout(done, 500));
      now = await server.get("apply");
      $("status").textContent = now.running ? `Applying, ${Math.round(now.seconds)} s. ${now.text.split("\n").pop()}` : "";
    }
    const moment = state.job.moments[state.moment];
    await open();
    state.moment = moment ? state.job.moments.findIndex((one) => one.file === moment.file && keyOf(one) === keyOf(moment)) : -1;
    state.undone = [];
    await go(...before);
    if (now.code) alarm(`It was not applied to everything:\n${now.text}`);
    $("status").textContent = now.code ? "Not applied to everything." : "Applied.";
  } catch (error) { alarm(error); }
}

async function sign(event) {
  event.preventDefault();
  await saving;
  try {
    const { by, note } = event.target.elements;
    const done = await server.send("PUT", "signed", { by: by.value, note: note.value, revision: state.job.revision });
    Object.assign(state.job, done);
    $("status").textContent = `Signed; ${done.page} is written.`;
    await show();
  } catch (error) { alarm(error); }
}

function changedRegion() {
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

async function begin() {
  moments = new lists.Moments($("moments"), $("more"), toMoment);
  try {
    await open();
    await (state.job.moments.length ? toMoment(0) : go(0, 0));
    $("stage").focus();
    if (state.job.cannot_apply) alarm(`It cannot be applied from this page: ${state.job.cannot_apply}`);
  } catch (error) { alarm(error); }
  const clicks = { back: () => step(-1), forth: () => step(1), play, add: () => { add(); $("stage").focus(); }, undo, original: toggleOriginal, before: () => nextMoment(-1), next: () => nextMoment(1), apply, remove: () => remove(), "help-button": () => $("help").showModal() };
  for (const [id, act] of Object.entries(clicks)) $(id).addEventListener("click", () => act());
  $("slider").addEventListener("input", () => go(state.file, Number($("slider").value)));
  $("file").addEventListener("change", () => go(Number($("file").value), 0, -1));
  $("region").addEventListener("change", changedRegion);
  $("region").addEventListener("submit", (event) => event.preventDefault());
  $("sign").addEventListener("submit", sign);
  $("line").addEventListener("click", (event) => {
    const place = $("line").getBoundingClientRect();
    go(state.file, Math.floor(((event.clientX - place.left) / place.width) * file().frames));
  });
  stage.listen($("stage"), $("boxes"), detail, (index) => model.boxAt(rows()[index], state.frame), {
    drawn: add,
    moved: (index, box) => { state.chosen = { region: index }; place(box, index); },
    chose: choose,
    shown: (box, index) => stage.draw($("boxes"), detail(), boxes(state.row, { box, region: index })),
  });
  keys.listen();
}

begin();
