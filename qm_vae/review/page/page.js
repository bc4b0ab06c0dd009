// Where one is, and how it is drawn.

import { add, change, changedRegion, choose, decide, place, remove, save, saving, undo } from "./deciding.js";
import * as keys from "./keys.js";
import * as lists from "./lists.js";
import * as model from "./model.js";
import * as server from "./server.js";
import * as stage from "./stage.js";
import { $, alarm, detail, details, faces, file, isSeen, keyOf, region, regions, rows, say, state } from "./state.js";
import * as timeline from "./timeline.js";

let shown = 0, changed = 0, drawn = "", moments; // `drawn`: what the time line shows

// --- where one is ---

export async function go(number, frame, moment = state.moment, chosen = undefined) {
  const other = number !== state.file || !details.has(number);
  if (other) state.chosen = null, state.range = null, state.editing = false;
  if (chosen !== undefined) state.chosen = chosen;
  state.file = number, state.moment = moment;
  say("");
  state.frame = Math.min(Math.max(frame, 0), file().frames - 1);
  try {
    if (other && !file().failures.length) details.set(number, await server.get(`files/${number}`));
    if (other) faces.clear();
    await show(other);
  } catch (error) { alarm(error); }
}

export function step(count) { return go(state.file, state.frame + count); }

// The moment's track is selected, so that D, K and H are about it.
export function toMoment(i) {
  const one = state.job.moments[i];
  if (!one) return say("There is no doubtful moment.");
  state.range = null, state.editing = false;
  return go(one.file, one.frame, i, one.track ? { track: one.track } : null);
}

export async function nextMoment(by) {
  const left = state.job.moments[state.moment];
  if (left && by > 0 && !isSeen(left)) {
    state.job.files[left.file].seen.add(keyOf(left));
    moments.tick(state.moment, true);
    save(left.file);
  }
  const target = state.moment + by;
  if (target >= state.job.moments.length) {
    const missed = state.job.moments.filter((one) => !isSeen(one)).length;
    await show();
    return say(`That was the last doubtful moment. ${missed ? `${missed} before are not ticked off.` : "All are ticked off: apply what you decided, then sign."}`);
  }
  return toMoment(Math.max(target, 0));
}

export function play() {
  const on = !state.playing;
  state.playing = on ? setTimeout(tick, 0) : clearTimeout(state.playing) || 0;
  $("play").setAttribute("aria-pressed", String(on));
  if (!on) show(); // the lists were left as they were
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

// --- what is seen ---

// A kept track is hidden where the program is not certain that it still shows the same person.
function label(one, done) {
  const doubted = done === "keep" && one.hidden && model.verdict(file().applied, one.track, state.frame) === "keep";
  const more = { hide: "", drop: ", no face", keep: doubted ? ", hidden: somebody else?" : ", visible" };
  return `${one.track} ${one.how}${more[done]}`;
}

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

export async function show(other = false) {
  const ticket = ++shown, now = detail(), moving = file().kind === "video", one = state.job.moments[state.moment];
  $("file").value = state.file;
  const reason = one && one.file === state.file && state.frame >= one.first && state.frame <= one.last ? `${one.track ? `Track ${one.track}: ` : ""}${state.job.why[one.why]}.` : "";
  $("reason").textContent = reason;
  for (const id of ["time", "line", "legend", "range"]) $(id).toggleAttribute("hidden", !moving);
  const failed = file().failures;
  $("stage").hidden = failed.length > 0;
  if (failed.length) return alarm(`${file().name} could not be protected: ${failed.join("; ")}`);
  const row = await faces.at(state.file, state.frame, file().frames);
  if (ticket !== shown) return;
  state.row = row;
  const place = moving ? `frame ${state.frame} of ${file().frames}` : file().name;
  const side = Math.min($("stage").parentElement.clientWidth, 1200) * devicePixelRatio > 1000 ? 1920 : 960;
  const text = `${state.original ? "Original" : "Protected"}, ${place}. ${row.faces.length} faces${row.faces.map((face) => `; track ${face.track} ${face.how}, ${stateOf(face) === "hide" ? "hidden" : "visible"}${state.chosen?.track === face.track ? ", selected" : ""}`).join("")}${row.blanked ? `; black: ${row.blanked}` : ""}.`;
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
  if (!state.playing) rest(row, moving, other, text, reason);
  timeline.mark($("line"), state.frame);
}

function rest(row, moving, other, text, reason) {
  const open = (track) => ["drop", "keep"].includes(model.verdict(rows(), track, state.frame));
  const own = state.job.moments.filter((one) => one.file === state.file);
  const now = JSON.stringify([changed, state.file, file().seen.size, rows()]);
  if (moving && now !== drawn) timeline.draw($("line"), file().frames, detail().tracks, own, regions().map(([one]) => one), isSeen, open);
  drawn = now;
  const table = row.faces.map((one) => ({ track: one.track, how: one.how, score: one.score, state: stateOf(one), method: model.methodOf(rows(), one.track) }));
  lists.here($("here"), state.job, table, state.chosen?.track, { choose: (track) => choose({ track }), decide, method: (track, name) => change(model.chooseMethod(rows(), track, name)) });
  lists.decided($("decided"), rows(), moving, (one, i) => { choose(one.action === "add" ? { region: i } : { track: one.track }); go(state.file, one.frames ? one.frames[0] : state.frame); }, remove);
  fillRegion();
  moments.mark(state.moment);
  const seen = state.job.moments.filter(isSeen).length, waiting = unapplied();
  $("progress").textContent = `${seen} of ${state.job.moments.length} moments looked at`;
  $("left").textContent = waiting ? `${waiting} ${waiting === 1 ? "change" : "changes"} not applied yet` : state.job.files.some((one) => one.decisions.length) ? "All decisions are applied" : "Nothing is decided";
  $("command").textContent = state.job.command, $("by-hand").hidden = !state.job.command;
  $("apply").disabled = !waiting || Boolean(state.job.cannot_apply);
  $("apply").title = state.job.cannot_apply;
  $("signed").textContent = state.job.signed ? `Signed by ${state.job.signed.by}, ${state.job.signed.at}.` : "Not signed.";
  hint();
  if (other || !state.editing) $("said").textContent = `${reason} ${text}`.trim();
}

// What the keys do now, in one line.
function hint() {
  const keys = state.editing ? [["Arrows", "move"], ["Shift+Arrows", "resize"], ["Ctrl", "by one pixel"], ["Enter", "done"]]
    : region() ? [["E", "edit"], ["[ ]", "first, last frame"], ["Delete", "remove"], ["N", "next moment"]]
    : state.chosen ? [[`Track ${state.chosen.track}`, "is selected"], ["D", "is no face"], ["K", "keep visible"], ["H", "hide"], ["A", "draw a missed face"], ["N", "well hidden: tick off, next"]]
    : [["1–9", "select a face"], ["A", "draw a missed face"], ["N", "tick off, next moment"], ["→ ←", "step"], ["O", "original"], ["?", "all keys"]];
  $("hint").replaceChildren(...keys.map(([key, what]) => {
    const pair = document.createElement("span"), made = document.createElement(key.startsWith("Track") ? "b" : "kbd");
    made.textContent = key;
    pair.append(made, ` ${what}`);
    return pair;
  }));
}

// Decisions that are saved and not in what was made, or the other way round.
function unapplied() {
  const texts = (list) => list.map((one) => JSON.stringify(one));
  const apart = (some, others) => some.filter((one) => !others.includes(one)).length;
  return state.job.files.reduce((sum, one) => sum + apart(texts(one.decisions), texts(one.applied)) + apart(texts(one.applied), texts(one.decisions)), 0);
}

function fillRegion() {
  const form = $("region"), one = region();
  form.hidden = !one;
  for (const name of ["first", "last"]) form.elements[name].parentElement.hidden = file().kind !== "video";
  if (!one || form.contains(document.activeElement)) return;
  const [x, y, width, height] = model.boxAt(one, state.frame).map(Math.round);
  const values = { first: one.frames[0], last: one.frames[1] ?? file().frames - 1, x, y, width, height, method: one.method || "" };
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
}

// --- beginning, applying, signing ---

async function open() {
  state.job = await server.get("job");
  for (const one of state.job.files) one.seen = new Set(one.seen);
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
    $("status").textContent = now.code ? "Not applied to everything." : "Applied; the auditor's page is written.";
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
