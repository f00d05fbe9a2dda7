// Overview: the hypnogram of the whole night with the model's probabilities; a press goes there.

import { get, make } from "./dom.js";

const LEVELS = [0, 4, 1, 2, 3]; // W, REM, N1, N2, N3 from top to bottom, as in AASM reports
const LEFT = 44;
const MARGIN_S = 1800; // shown before lights off and after lights on
const ROW = { curve: 66, marks: 8, density: 34, hours: 16 };
const MARKS = ["marked", "done", "differs", "noted"];

export class Overview {
  constructor({ go }) {
    this.element = get("overview");
    this.canvas = get("overview-picture");
    const place = (event) => this.night && go(this.night.at(this.#seconds(event.clientX - this.element.getBoundingClientRect().left)));
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      place(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) place(event);
    });
    const redraw = () => this.night && this.draw(this.night, this.epoch);
    new ResizeObserver(redraw).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  #seconds(x) {
    const share = (x - LEFT) / (this.width - LEFT);
    return this.from + Math.max(0, Math.min(1, share)) * (this.to - this.from);
  }

  #x(seconds) {
    return LEFT + ((seconds - this.from) / (this.to - this.from)) * (this.width - LEFT);
  }

  // The part of the recording that is shown: lights off to on, as long as the place is in it.
  #range(epoch) {
    const { lights, endS, epochs } = this.night;
    const from = Math.max(0, (lights.off_s ?? 0) - MARGIN_S);
    const to = Math.min(endS, (lights.on_s ?? endS) + MARGIN_S);
    const at = epochs.onset_s[epoch];
    return from <= at && at < to ? [from, to] : [0, endS];
  }

  move(epoch, says) {
    this.epoch = epoch;
    const [from, to] = this.#range(epoch);
    if (from !== this.from || to !== this.to) this.draw(this.night, epoch);
    const { onset_s: onsets } = this.night.epochs;
    const left = this.#x(onsets[epoch]);
    get("overview-cursor").style.transform = `translateX(${left}px)`;
    const right = this.#x(onsets[epoch] + this.night.epoch_s);
    get("overview-cursor").style.width = `${Math.max(2, right - left)}px`;
    const values = { now: epoch + 1, min: 1, max: this.night.n, text: says };
    for (const [name, value] of Object.entries(values)) {
      this.element.setAttribute(`aria-value${name}`, value);
    }
  }

  draw(night, epoch) {
    this.night = night;
    [this.from, this.to] = this.#range(epoch);
    this.rows = this.#rows();
    this.width = this.element.clientWidth;
    const height = this.rows.height;
    this.element.style.height = `${height}px`;
    this.canvas.width = this.width * devicePixelRatio;
    this.canvas.height = height * devicePixelRatio;
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    this.style = getComputedStyle(document.documentElement);
    pen.font = `11px ${this.style.getPropertyValue("--font")}`;
    pen.textBaseline = "middle";
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, this.width - LEFT, this.rows.hours);
    pen.clip();
    for (const draw of [this.#lights, this.#gaps, this.#curve, this.#marks, this.#density]) {
      draw.call(this, pen);
    }
    pen.restore();
    this.#names(pen);
    this.#hours(pen);
    this.#legend();
    this.move(epoch, this.element.getAttribute("aria-valuetext") ?? "");
  }

  #rows() {
    const { epochs } = this.night;
    const shown = { marked: epochs.review, done: true, differs: epochs.against, noted: true };
    const marks = MARKS.filter((name) => shown[name]);
    const density = ROW.curve + marks.length * ROW.marks + 4;
    const hours = density + (epochs.p ? ROW.density : 0);
    return { marks, density, hours, height: hours + ROW.hours };
  }

  #colour(name) {
    return this.style.getPropertyValue(`--${name}`).trim();
  }

  #stageColour(index) {
    return this.#colour(`stage-${index}`);
  }

  #level(stage) {
    const level = LEVELS.indexOf(this.night.stages.indexOf(stage));
    return 9 + (level * (ROW.curve - 18)) / (LEVELS.length - 1);
  }

  #names(pen) {
    pen.fillStyle = this.#colour("quiet");
    pen.textAlign = "right";
    for (const stage of this.night.stages) pen.fillText(stage, LEFT - 8, this.#level(stage));
    if (this.night.epochs.p) pen.fillText("model", LEFT - 8, this.rows.density + ROW.density / 2);
  }

  #curve(pen) {
    const { stages, epochs, n, epoch_s: length } = this.night;
    pen.fillStyle = this.#colour("faint");
    for (const stage of stages) pen.fillRect(LEFT, this.#level(stage), this.width - LEFT, 0.5);
    pen.strokeStyle = this.#colour("ink");
    pen.lineWidth = 1;
    pen.beginPath();
    let before = null;
    for (let epoch = 0; epoch < n; epoch += 1) {
      const stage = epochs.stage[epoch];
      if (!stage) {
        before = null;
        continue;
      }
      const left = this.#x(epochs.onset_s[epoch]);
      const right = this.#x(epochs.onset_s[epoch] + length);
      const adjacent = before !== null && Math.abs(before - left) < 0.01;
      pen[adjacent ? "lineTo" : "moveTo"](left, this.#level(stage));
      pen.lineTo(right, this.#level(stage));
      before = right;
    }
    pen.stroke();
    this.#spans((epoch) => epochs.stage[epoch] === stages[4], (left, width) => {
      pen.fillStyle = this.#stageColour(4);
      pen.fillRect(left, this.#level(stages[4]) - 2, width, 4);
    });
  }

  // The mean probabilities of the epochs in a part of the night; null where there are none.
  #mean(from, to) {
    const { night } = this;
    const first = night.at(from);
    const rows = night.epochs.p.slice(first, Math.max(first, night.at(to - 0.1)) + 1).filter(Boolean);
    if (!rows.length || from >= night.epochs.onset_s[first] + night.epoch_s) return null;
    return night.stages.map((_, index) => rows.reduce((sum, row) => sum + row[index], 0) / rows.length);
  }

  // Call `draw(left, width)` for each run of epochs that answer a question with yes.
  #spans(question, draw) {
    const { epochs, n, epoch_s: length } = this.night;
    for (let first = 0; first < n; first += 1) {
      if (!question(first)) continue;
      let last = first;
      while (
        last + 1 < n &&
        question(last + 1) &&
        epochs.onset_s[last + 1] - epochs.onset_s[last] <= length + 0.1
      ) {
        last += 1;
      }
      const left = this.#x(epochs.onset_s[first]);
      draw(left, this.#x(epochs.onset_s[last] + length) - left);
      first = last;
    }
  }

  #marks(pen) {
    const { night } = this;
    const rows = {
      marked: [(epoch) => night.marked(epoch), "mark"],
      done: [(epoch) => night.reviewed(epoch), "good"],
      differs: [(epoch) => night.differs(epoch), "difference"],
      noted: [(epoch) => Boolean(night.epochs.note[epoch]), "ink"],
    };
    this.rows.marks.forEach((name, row) => {
      const [question, colour] = rows[name];
      const top = ROW.curve + row * ROW.marks;
      pen.fillStyle = this.#colour(colour);
      this.#spans(question, (left, width) => pen.fillRect(left, top + 1, Math.max(1, width), 5));
    });
  }

  #density(pen) {
    if (!this.night.epochs.p) return;
    const colours = this.night.stages.map((_, index) => this.#stageColour(index));
    const top = this.rows.density;
    const tall = ROW.density - 2;
    const pixel = 1 / devicePixelRatio; // whole pixels, since the blending of edges shows as stripes
    for (let x = LEFT; x < this.width; x += pixel) {
      const row = this.#mean(this.#seconds(x), this.#seconds(x + pixel));
      let bottom = top + tall;
      for (const index of row ? [3, 2, 1, 4, 0] : []) {
        const height = row[index] * tall;
        pen.fillStyle = colours[index];
        pen.fillRect(x, bottom - height, pixel, height);
        bottom -= height;
      }
    }
  }

  #gaps(pen) {
    const { epochs } = this.night;
    this.#spans((epoch) => Boolean(epochs.unscored_reason[epoch]), (left, width) => {
      pen.save();
      pen.beginPath();
      pen.rect(left, 0, Math.max(width, 1), this.rows.hours);
      pen.clip();
      pen.strokeStyle = this.#colour("faint");
      for (let x = left - this.rows.hours; x < left + width; x += 5) {
        pen.beginPath();
        pen.moveTo(x, this.rows.hours);
        pen.lineTo(x + this.rows.hours, 0);
        pen.stroke();
      }
      pen.restore();
    });
  }

  #lights(pen) {
    const { off_s: off, on_s: on } = this.night.lights;
    pen.fillStyle = this.#colour("light");
    if (off !== null) pen.fillRect(LEFT, 0, Math.max(0, this.#x(off) - LEFT), this.rows.hours);
    if (on !== null) pen.fillRect(this.#x(on), 0, this.width, this.rows.hours);
  }

  #hours(pen) {
    const { night } = this;
    const every = [1, 2, 3, 6].find((hours) => ((hours * 3600) / (this.to - this.from)) * this.width > 48) ?? 12;
    const start = night.startDate;
    const into = start ? (start.getUTCHours() * 3600 + start.getUTCMinutes() * 60 + start.getUTCSeconds()) : 0;
    pen.fillStyle = this.#colour("quiet");
    pen.textAlign = "center";
    for (let hour = Math.ceil((into + this.from) / 3600); hour * 3600 - into <= this.to; hour += 1) {
      if (hour % every) continue;
      const x = this.#x(hour * 3600 - into);
      pen.fillRect(x, this.rows.hours, 1, 3);
      const text = start ? `${String(hour % 24).padStart(2, "0")}:00` : `${hour} h`;
      if (x > LEFT + 14 && x < this.width - 16) pen.fillText(text, x, this.rows.hours + 10);
    }
  }

  #legend() {
    const says = {
      marked: "to be reviewed",
      done: "reviewed",
      differs: `differs from ${this.night.against_name}`,
      noted: "note",
    };
    const items = this.rows.marks.map((name) => make("li", { className: name }, says[name]));
    const { off_s: off, on_s: on } = this.night.lights;
    if (off !== null || on !== null) items.push(make("li", { className: "light" }, "lights on"));
    get("legend").replaceChildren(...items);
  }
}
