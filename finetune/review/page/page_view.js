// Page view: the picture of an epoch, with names, scales and times written around it as text.

import { get, make } from "./dom.js";
import { Pages } from "./pages.js";

const STEP_PX = 16; // sizes of pictures are multiples, so that few differ
const LARGEST = { width: 2560, height: 1600 };
const SETTLE_MS = 120;
const PATIENCE_MS = 400;
const LEAST_TICK_PX = 84;
const LEAST_GAP_PX = 90;
const LOW_PX = 44; // a lane with room for its name only
const AHEAD = [1, -1, 2, 3, -2];

export class PageView {
  // resized() when there is more or less room; turnOver(lane) when a lane's name is pressed.
  constructor({ resized, turnOver }) {
    this.pages = new Pages();
    this.canvas = get("picture");
    this.turnOver = turnOver;
    this.shown = Promise.resolve(true);
    this.ticket = 0;
    this.failed = false; // whether the picture that was asked for last could not be had
    this.fitted = ""; // the size of what was asked for last
    let timer = 0;
    new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(() => JSON.stringify(this.size()) !== this.fitted && resized(), SETTLE_MS);
    }).observe(get("room"));
  }

  // Room for the picture in pixels of the screen.
  size() {
    const room = get("room");
    const fit = (length, most) =>
      Math.max(STEP_PX, Math.min(most, Math.floor((length * devicePixelRatio) / STEP_PX) * STEP_PX));
    return {
      width: fit(room.clientWidth, LARGEST.width),
      height: fit(room.clientHeight, LARGEST.height),
    };
  }

  query(view, offset) {
    const { width, height } = this.size();
    return new URLSearchParams({
      offset,
      uv: Number(view.uv.toPrecision(6)),
      seconds: view.seconds,
      flip: [...view.flip].join(","),
      filters: view.filters ? "on" : "off",
      width,
      height,
    }).toString();
  }

  // Show an epoch: at once if its page was fetched ahead. Until its own picture is there, none is
  // shown, so that no stage is given for another epoch's. `shown` then says whether there is one.
  // `next` is an epoch that is likely to follow; null for none.
  show(night, epoch, view, next) {
    this.night = night;
    this.fitted = JSON.stringify(this.size());
    const query = this.query(view, view.offset);
    const ticket = (this.ticket += 1);
    const ready = this.pages.ready(night, epoch, query);
    if (ready) {
      this.#draw(ready, epoch, view);
      this.shown = Promise.resolve(true);
    } else {
      this.#blank();
    }
    const coming = this.pages.fetch(night, epoch, query);
    if (!ready) {
      this.shown = coming.then(
        (page) => ticket === this.ticket && this.#draw(page, epoch, view),
        (error) => ticket === this.ticket && this.#fail(error),
      );
    }
    coming.then(
      () => ticket === this.ticket && this.pages.prefetch(night, this.#likely(epoch, view, next)),
      () => {},
    );
  }

  #likely(epoch, view, next) {
    const places = AHEAD.map((by) => view.further(this.night, epoch, view.offset, by));
    if (next !== null) places.splice(2, 0, [next, 0]);
    return places.map(([there, offset]) => [there, this.query(view, offset)]);
  }

  #blank() {
    this.failed = false;
    this.canvas.classList.add("coming");
    this.canvas.setAttribute("aria-busy", "true");
    delete this.canvas.dataset.epoch;
    get("marks").replaceChildren();
    get("ticks").replaceChildren();
    get("no-picture").hidden = true;
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.#say("Reading the signals …"), PATIENCE_MS);
  }

  // Say something where the picture would be.
  #say(text) {
    get("no-picture").textContent = text;
    get("no-picture").hidden = false;
  }

  #fail(error) {
    this.failed = true;
    clearTimeout(this.patience);
    this.#say(`No picture of this epoch: ${error.status ? error.message : "the server does not answer."}`);
    return false;
  }

  #draw({ picture, labels }, epoch, view) {
    const { canvas } = this;
    this.failed = false;
    clearTimeout(this.patience);
    canvas.width = labels.width;
    canvas.height = labels.height;
    canvas.style.width = `${labels.width / devicePixelRatio}px`;
    canvas.style.height = `${labels.height / devicePixelRatio}px`;
    canvas.getContext("2d", { alpha: false }).drawImage(picture, 0, 0);
    canvas.classList.remove("coming");
    canvas.removeAttribute("aria-busy");
    canvas.dataset.epoch = epoch;
    get("no-picture").hidden = true;
    this.labels = labels;
    this.flip = view.flip;
    this.#name(labels);
    this.#mark(labels);
    this.#tick(labels);
    return true;
  }

  #name({ lanes }) {
    const told = JSON.stringify([lanes, [...this.flip], devicePixelRatio]);
    if (told === this.named) return; // the same from epoch to epoch
    this.named = told;
    const items = lanes.map((lane) => {
      const turned = this.flip.has(lane.name);
      const item = make("li", {}, this.#lane(lane, turned), make("span", {}, scale(lane, turned)));
      const height = (lane.bottom_px - lane.top_px) / devicePixelRatio;
      item.classList.toggle("low", height < LOW_PX);
      item.style.top = `${lane.top_px / devicePixelRatio}px`;
      item.style.height = `${height}px`;
      return item;
    });
    const focused = [...get("lanes").children].findIndex((item) => item.contains(document.activeElement));
    get("lanes").replaceChildren(...items);
    get("lanes").children[focused]?.querySelector("button")?.focus();
    const fixed = lanes.some((lane) => lane.scale_uv !== null);
    for (const id of ["smaller", "larger"]) get(id).disabled = !fixed;
    this.canvas.setAttribute(
      "aria-label",
      `Signals of ${lanes.map((lane) => lane.name + (lane.derivation ? "" : " (absent)")).join(", ")}`,
    );
  }

  // The name of a lane, which turns it over if there is a wave to be turned.
  #lane(lane, turned) {
    const same = lane.derivation?.toLowerCase() === lane.name.toLowerCase();
    const other = lane.derivation && !same ? ` ${lane.derivation}` : "";
    const name = [make("b", {}, lane.name), make("small", {}, other)];
    if (!lane.derivation || lane.level) return make("span", { className: "name" }, ...name);
    const title = `Turn ${lane.name} over (${scale(lane, turned)})`;
    const button = make("button", { type: "button", title, "aria-pressed": String(turned) }, ...name);
    button.addEventListener("click", () => this.turnOver(lane.name));
    return button;
  }

  #mark({ epoch_px: epoch, width, gaps }) {
    const marks = [];
    if (epoch[0] > 1 || epoch[1] < width - 1) marks.push(span("around", epoch));
    for (const { px } of gaps) {
      const mark = span("nothing", px);
      if (px[1] - px[0] > LEAST_GAP_PX * devicePixelRatio) mark.append(make("span", {}, "no signal"));
      marks.push(mark);
    }
    get("marks").replaceChildren(...marks);
  }

  #tick({ ticks, width, from_s: from }) {
    let last = -Infinity;
    const shown = ticks.filter(({ x_px: x }) => {
      const fits = (x - last) / devicePixelRatio >= LEAST_TICK_PX && x < width - 20;
      if (fits) last = x;
      return fits;
    });
    get("ticks").replaceChildren(
      ...shown.map(({ x_px: x, s: seconds }) => {
        const tick = make("span", {}, this.night.clock(from + seconds));
        tick.style.left = `${x / devicePixelRatio}px`;
        return tick;
      }),
    );
  }
}

function span(name, [left, right]) {
  const element = make("div", { className: name });
  element.style.left = `${left / devicePixelRatio}px`;
  element.style.width = `${(right - left) / devicePixelRatio}px`;
  return element;
}

function scale(lane, turned) {
  if (!lane.derivation) return "absent";
  if (lane.scale_uv === null) return "scaled to itself";
  const uv = `${Number(lane.scale_uv.toPrecision(3))} µV`;
  if (lane.level) return `level, to ${uv}`;
  return `±${uv}, ${lane.up === "negative" ? "−" : "+"} up${turned ? " ↕" : ""}`;
}
