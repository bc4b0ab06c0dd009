// What is shown now, and short ways to it.

import * as server from "./server.js";

export const $ = (id) => document.getElementById(id);
export const faces = new server.Faces();
export const details = new Map(); // file -> size, rate, tracks
export const state = { job: null, file: 0, frame: 0, moment: -1, chosen: null, range: null, original: false, editing: false, playing: 0, row: null, undone: [] };

export const file = () => state.job.files[state.file];
export const detail = () => details.get(state.file);
export const rows = () => file().decisions;
export const regions = () => rows().map((row, i) => [row, i]).filter(([row]) => row.action === "add");
export const keyOf = (one) => `${one.why}:${one.track}:${one.first}`;
export const isSeen = (one) => state.job.files[one.file].seen.has(keyOf(one));
export const region = () => (state.chosen?.region === undefined ? null : rows()[state.chosen.region]);
export const say = (text) => { $("message").textContent = text; };

export function alarm(error) {
  $("alert").hidden = !error;
  $("alert").textContent = error ? error.message || String(error) : "";
}
