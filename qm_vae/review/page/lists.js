// The lists beside the picture: doubtful moments, the frame's faces, what is decided.

import { describe } from "./model.js";
import { picture } from "./server.js";

const PAGE = 200; // moments that are listed at first, and with every "Show more"

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export class Moments {
  constructor(list, more, go) {
    this.list = list, this.more = more, this.go = go, this.count = PAGE;
    more.addEventListener("click", () => { this.count += PAGE; this.fill(...this.last); });
  }

  fill(job, isSeen, changed) {
    this.last = [job, isSeen, changed];
    this.buttons = job.moments.slice(0, this.count).map((one, i) => {
      const file = job.files[one.file], moving = file.kind === "video";
      const where = [job.files.length > 1 ? file.name : "", one.track ? `track ${one.track}` : "", moving ? (one.first === one.last ? `frame ${one.first}` : `frames ${one.first} to ${one.last}`) : ""];
      const text = make("span", {}, job.why[one.why], make("br"), make("span", { class: "where" }, where.filter(Boolean).join(", ")));
      // Pictures are made when they come into sight.
      const image = file.failures.length ? make("span") : make("img", { src: picture(one.file, one.frame, 160, false, changed), loading: "lazy", alt: "" });
      return make("button", { type: "button", onclick: () => this.go(i) }, image, text, make("span", { class: "tick" }));
    });
    this.list.replaceChildren(...this.buttons.map((button) => make("li", {}, button)));
    this.more.hidden = job.moments.length <= this.count;
    job.moments.slice(0, this.count).forEach((one, i) => this.tick(i, isSeen(one)));
  }

  tick(i, seen) {
    const place = this.buttons[i]?.querySelector(".tick");
    if (place) place.replaceChildren(...(seen ? [make("span", { role: "img", "aria-label": "looked at" }, "✓")] : []));
  }

  mark(i) {
    this.buttons.forEach((button, k) => (k === i ? button.setAttribute("aria-current", "true") : button.removeAttribute("aria-current")));
    const [button, list] = [this.buttons[i], this.list]; // not scrollIntoView, which moves the page too
    if (!button) return;
    const top = button.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + button.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 3;
  }
}

function choice(label, options, value, change) {
  const made = make("select", { "aria-label": label, onchange: () => change(made.value) });
  made.append(...options.map(([key, text]) => make("option", { value: key }, text)));
  made.value = value;
  return made;
}

const DONE = [["hide", "hidden"], ["drop", "no face"], ["keep", "visible"]];

export function methods(job) {
  return [["", "as the job"], ...job.methods.map((name) => [name, name])];
}

// rows: [{track, how, score, state, method}]; calls back choose(track), decide(action, track), method(track, name).
export function here(body, job, rows, chosen, callbacks) {
  const focused = document.activeElement?.closest("#here") ? document.activeElement.getAttribute("aria-label") : null;
  body.replaceChildren(...rows.map((one, i) => make("tr", one.track === chosen ? { class: "chosen" } : {},
    make("td", {}, i < 9 ? make("kbd", {}, String(i + 1)) : ""),
    make("th", { scope: "row" }, make("button", { type: "button", "aria-label": `Select track ${one.track}`, "aria-pressed": null, onclick: () => callbacks.choose(one.track) }, String(one.track))),
    make("td", {}, `${one.how} ${one.score.toFixed(2)}`),
    make("td", {}, choice(`Track ${one.track}: what is done`, DONE, one.state, (action) => callbacks.decide(action, one.track))),
    make("td", {}, choice(`Track ${one.track}: method`, methods(job), one.method, (name) => callbacks.method(one.track, name))))));
  if (!rows.length) body.append(make("tr", {}, make("td", { colspan: 5 }, "No face was found here.")));
  if (focused) body.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
}

export function decided(list, rows, moving, go, remove) {
  list.replaceChildren(...rows.map((row, i) => {
    const text = describe(row, moving);
    return make("li", {}, make("button", { type: "button", onclick: () => go(row, i) }, text), make("button", { type: "button", "aria-label": `Take back: ${text}`, onclick: () => remove(i) }, "Take back"));
  }));
  if (!rows.length) list.append(make("li", {}, "Nothing about this file."));
}
