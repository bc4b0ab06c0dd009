// The picture with its boxes, and drawing on it.

const SVG = "http://www.w3.org/2000/svg";
const LETTER = 13; // pixels of the screen
const LEAST = 4; // pixels of the picture: a shorter drag is a click

export function make(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// boxes: [{box, kind, label, chosen, region}] in pixels of the picture.
export function draw(svg, size, boxes) {
  svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  const letter = (LETTER * size.width) / (svg.clientWidth || size.width), taken = [];
  svg.replaceChildren(...boxes.flatMap((one) => {
    const [x, y, width, height] = one.box;
    const rect = make("rect", { x, y, width: Math.max(width, 1), height: Math.max(height, 1), class: one.kind + (one.chosen ? " chosen" : "") });
    if (one.region !== undefined) rect.dataset.region = one.region;
    if (one.track !== undefined) rect.dataset.track = one.track;
    return [rect, make("text", { ...free(taken, size, letter, x, y, one.label.length), "font-size": letter }, one.label)];
  }));
}

// Where a label goes: above its box, within the picture, and below labels that are there already.
function free(taken, size, letter, x, y, length) {
  const width = length * letter * 0.62, left = Math.max(Math.min(x, size.width - width), 0);
  let low = Math.max(y - letter / 3, letter);
  for (const one of taken.sort((a, b) => a.low - b.low)) {
    const apart = left >= one.left + one.width || one.left >= left + width || Math.abs(one.low - low) >= letter * 1.2;
    if (!apart) low = one.low + letter * 1.2;
  }
  taken.push({ left, width, low });
  return { x: left, y: low };
}

// Calls back: drawn([x, y, width, height]), moved(region, box), chose({track} or {region} or null).
export function listen(stage, svg, size, boxOf, callbacks) {
  let start = null;
  const at = (event) => {
    const place = svg.getBoundingClientRect(), { width, height } = size();
    const clamp = (value, most) => Math.min(Math.max(value, 0), most);
    return [clamp(((event.clientX - place.left) / place.width) * width, width), clamp(((event.clientY - place.top) / place.height) * height, height)];
  };
  const result = (event) => {
    const [x, y] = at(event), [x0, y0] = start.at;
    if (start.region !== undefined) {
      const [bx, by, width, height] = start.box;
      return [bx + x - x0, by + y - y0, width, height];
    }
    return [Math.min(x, x0), Math.min(y, y0), Math.abs(x - x0), Math.abs(y - y0)];
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !size()) return;
    const { region, track } = event.target.dataset;
    start = { at: at(event), track };
    if (region !== undefined) Object.assign(start, { region: Number(region), box: boxOf(Number(region)) });
    stage.setPointerCapture(event.pointerId);
    stage.focus();
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (!start) return;
    callbacks.shown(result(event).map(Math.round), start.region);
  });
  const end = (event) => {
    if (!start) return;
    const [x, y] = at(event), far = Math.max(Math.abs(x - start.at[0]), Math.abs(y - start.at[1]));
    const box = result(event).map(Math.round), { region, track } = start;
    start = null;
    if (far < LEAST) callbacks.chose(region !== undefined ? { region } : track !== undefined ? { track: Number(track) } : null);
    else if (region !== undefined) callbacks.moved(region, box);
    else callbacks.drawn([box[0], box[1], Math.max(box[2], 1), Math.max(box[3], 1)]);
  };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", () => { start = null; callbacks.chose(null); });
}
