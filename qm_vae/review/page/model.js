// Decisions as OUT.review.json has them, and what they mean for a track or region at a frame.

const VERDICTS = ["drop", "keep", "hide"];

export function covers(row, frame) {
  const [first, last] = row.frames || [0, null];
  return first <= frame && (last === null || frame <= last);
}

// The verdict that counts for a track at a frame, "" where nobody decided.
export function verdict(rows, track, frame) {
  const found = rows.filter((row) => row.track === track && VERDICTS.includes(row.action) && covers(row, frame));
  return found.length ? found[found.length - 1].action : "";
}

export function methodOf(rows, track) {
  const found = rows.filter((row) => row.track === track && row.action === "method");
  return found.length ? found[found.length - 1].method : "";
}

// A region's box [x, y, width, height] at a frame, on the line between the two boxes around it.
export function boxAt(row, frame) {
  const keys = row.boxes;
  if (frame <= keys[0][0]) return keys[0].slice(1);
  for (let i = 1; i < keys.length; i++) {
    if (frame > keys[i][0]) continue;
    const share = (frame - keys[i - 1][0]) / (keys[i][0] - keys[i - 1][0]);
    return keys[i].slice(1).map((value, k) => keys[i - 1][k + 1] * (1 - share) + value * share);
  }
  return keys[keys.length - 1].slice(1);
}

// New rows in which a track has a verdict, over `frames` ([first, last]) or, without, as a whole.
export function decide(rows, action, track, frames, visible, box) {
  const row = { action, track };
  if (frames) row.frames = frames;
  if (box) row.box = box;
  if (frames) return [...rows, row];
  const others = rows.filter((one) => !(one.track === track && VERDICTS.includes(one.action)));
  return action === "hide" && !visible ? others : [...others, row]; // hidden is what it was
}

export function chooseMethod(rows, track, method) {
  const others = rows.filter((one) => !(one.track === track && one.action === "method"));
  return method ? [...others, { action: "method", track, method }] : others;
}

// A region with its box at `frame` set; its frames reach there.
export function placed(row, frame, box) {
  const keys = row.boxes.filter((key) => key[0] !== frame);
  keys.push([frame, ...box.map((value) => Math.round(value))]);
  keys.sort((one, other) => one[0] - other[0]);
  const [first, last] = row.frames;
  return { ...row, boxes: keys, frames: [Math.min(first, frame), last === null ? null : Math.max(last, frame)] };
}

// A region over other frames; boxes outside of them are left out, but for the nearest.
export function spanned(row, first, last) {
  const inside = row.boxes.filter((key) => key[0] >= first && (last === null || key[0] <= last));
  const ends = inside.length ? inside : [[first, ...boxAt(row, first).map(Math.round)]];
  return { ...row, frames: [first, last], boxes: ends };
}

export function describe(row, moving) {
  const [first, last] = row.frames || [0, null];
  const where = !moving ? "" : row.frames ? (last === null ? `, from frame ${first} on` : first === last ? `, frame ${first}` : `, frames ${first} to ${last}`) : "";
  const what = { add: "region hidden", drop: "no face", keep: "kept visible", hide: "hidden", method: `by ${row.method}` };
  return (row.action === "add" ? what.add : `track ${row.track}: ${what[row.action]}`) + where;
}
