// Review: the page as a whole. Keys, buttons and presses become actions; an action changes the place,
// the view or the night, and what depends on it is drawn again.

import { ACTIONS, JUDGES, listen } from "./actions.js";
import { get } from "./dom.js";
import { showAgreement, showStatistics } from "./figures.js";
import { Film } from "./film.js";
import { Night } from "./night.js";
import { Overview } from "./overview.js";
import { PageView } from "./page_view.js";
import { Reasons } from "./reasons.js";
import { Saving } from "./saving.js";
import * as server from "./server.js";
import { Side, spoken } from "./side.js";
import { View } from "./view.js";
import { showWorklist } from "./worklist.js";

const SPEAK_MS = 250;
const MESSAGE_MS = 10_000;
const PLACE_MS = 300;
const AGREE_MS = 400;

class Review {
  constructor() {
    const go = (epoch) => this.act("go", epoch);
    this.view = new View();
    this.overview = new Overview({ go });
    this.film = new Film({ go });
    this.side = new Side({ answer: (index) => this.act("stage", index) });
    this.page = new PageView({
      resized: () => this.night && this.turn(this.epoch, this.view.offset),
      turnOver: (lane) => this.act("polarity", lane),
    });
    this.reasons = new Reasons();
    this.actions = [];
    this.timers = {};
  }

  // ---- which night

  async start() {
    listen(this);
    await this.route();
  }

  // Show what the address names: `#night/epoch`, or the worklist.
  async route() {
    this.leaving = true;
    try {
      await this.saving?.drained();
      const list = await server.worklist();
      const [id, epoch] = location.hash.slice(1).split("/").map(decodeURIComponent);
      this.leaving = false;
      const only = list.nights.length === 1 ? list.nights[0].id : null;
      const known = list.nights.some((night) => night.id === id);
      get("to-worklist").hidden = list.nights.length === 1 || !known;
      if (known || only) await this.open(known ? id : only, Number(epoch) - 1);
      else this.#list(list);
    } catch (error) {
      this.leaving = false;
      this.say(error.status ? error.message : "The server does not answer. Start psgimg review again.", true);
    }
  }

  #list(list) {
    this.night = null;
    get("night").hidden = true;
    get("message").hidden = true;
    get("worklist").hidden = false;
    get("title").textContent = "psgimg review";
    get("progress").textContent = "";
    document.title = "psgimg review";
    showWorklist(list);
  }

  async open(id, epoch) {
    if (this.night?.id !== id) {
      get("progress").textContent = "Reading the signals …";
      this.night = new Night(await server.night(id));
      this.saving = new Saving(this.night, {
        changed: (epochs, edits) => this.#changed(epochs, edits),
        state: (name, text) => this.#state(name, text),
        stale: (lost, error) => this.#stale(lost, error),
      });
      get("worklist").hidden = true;
      get("night").hidden = false;
      get("title").textContent = this.night.name;
      document.title = `${this.night.name} – psgimg review`;
      get("agreement-fold").hidden = !this.night.epochs.against;
      get("why").hidden = !this.night.can_explain;
      this.side.open(this.night);
      this.epoch = 0;
    }
    this.redraw();
    this.film.show(this.night, this.epoch); // what stands around a page decides how large it is
    this.#place();
    const first = this.night.open(0) ? 0 : this.night.next(0, (k) => this.night.open(k));
    this.turn(Number.isInteger(epoch) ? epoch : (first ?? 0));
  }

  // ---- drawing

  // Show an epoch, and what belongs to it.
  turn(epoch, offset = 0) {
    const { night } = this;
    this.epoch = Math.max(0, Math.min(night.n - 1, epoch));
    this.view.offset = offset;
    this.reasons.hide();
    const next = night.next(this.epoch, (candidate) => night.open(candidate));
    this.page.show(night, this.epoch, this.view, next);
    get("next-review").disabled = next === null;
    this.film.show(night, this.epoch);
    this.#place();
    this.#remember();
  }

  // Keep the place in the address; browsers refuse to do so for each turn of a held key.
  #remember() {
    const keep = () => {
      if (!this.night || this.leaving) return; // the address says where to go, not where we are
      this.remembered = performance.now();
      history.replaceState(null, "", `#${encodeURIComponent(this.night.id)}/${this.epoch + 1}`);
    };
    clearTimeout(this.timers.remember);
    if (performance.now() - (this.remembered ?? 0) > PLACE_MS) keep();
    else this.#later("remember", PLACE_MS, keep);
  }

  #place() {
    const { night, epoch } = this;
    const at = night.clock(night.epochs.onset_s[epoch]);
    get("place").textContent = `Epoch ${night.number(epoch).toLocaleString("en")} of ${night.number(night.n - 1).toLocaleString("en")} · ${at}`;
    get("window").textContent = this.view.window;
    get("scale").textContent = this.view.scale;
    get("filters").setAttribute("aria-pressed", String(this.view.filters));
    get("polarity").setAttribute("aria-pressed", String(this.view.flip.size > 0));
    const says = spoken(night, epoch);
    this.overview.move(epoch, says);
    this.side.show(night, epoch);
    this.#later("speak", SPEAK_MS, () => (get("live").textContent = says));
  }

  // Draw what shows the whole night.
  redraw() {
    const { night } = this;
    this.overview.draw(night, this.epoch);
    showStatistics(night);
    if (night.unsaved) this.say(`Every change is in the journal, but the files of this review can't be written: ${night.unsaved}`, true);
    get("undo").disabled = !night.can_undo;
    get("redo").disabled = !night.can_redo;
    get("next-difference").hidden = !night.epochs.against && !night.epochs.model;
    const left = night.count((epoch) => night.open(epoch));
    const done = night.count((epoch) => night.reviewed(epoch));
    get("progress").textContent = `${left.toLocaleString("en")} to review · ${done.toLocaleString("en")} reviewed`;
    if (night.epochs.against && get("agreement-fold").open) {
      this.#later("agree", AGREE_MS, () => showAgreement(night).catch(() => {}));
    }
  }

  say(text, warning = false) {
    get("message").textContent = text;
    get("message").classList.toggle("warning", warning);
    get("message").hidden = false;
    this.#later("message", MESSAGE_MS, () => (get("message").hidden = true));
  }

  #later(name, wait, what) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(what, wait);
  }

  // ---- saving

  #edit(edit) {
    this.saving.add(edit);
    if (edit.kind !== "undo" && edit.kind !== "redo") {
      this.night.can_undo = true;
      this.redraw();
      this.#place();
    }
  }

  #changed(epochs, edits) {
    this.redraw();
    const turned = edits.some(({ kind }) => kind === "undo" || kind === "redo");
    const lost = this.page.failed; // the server was away
    if (turned && epochs.length) this.turn(epochs[0]);
    else if (lost) this.turn(this.epoch, this.view.offset);
    else {
      this.film.show(this.night, this.epoch);
      this.#place();
    }
  }

  #state(name, text) {
    get("saved").textContent = text;
    get("saved").dataset.state = name;
  }

  // Another window changed the night first, or an edit was refused: nothing is guessed.
  async #stale(lost, error) {
    const { night } = this;
    night.load(error.body.night ?? (await server.night(night.id)));
    this.redraw();
    const first = lost.find(({ epoch }) => epoch !== undefined)?.epoch ?? this.epoch;
    this.turn(first);
    const what = lost.length === 1 ? "your last change was" : `your last ${lost.length} changes were`;
    this.#state("saved", "");
    this.say(
      error.status === 409
        ? `Another window has changed this night, which was loaded again; ${what} not made. Epoch ${night.number(first)} is the first.`
        : `${error.message} The night was loaded again; ${what} not made.`,
      true,
    );
  }

  // ---- actions

  // Whether the page can be seen, once what was asked for last is there or failed.
  async #seen() {
    for (;;) {
      const { shown } = this.page;
      const seen = await shown;
      if (shown === this.page.shown) return seen;
    }
  }

  // Do actions in the order in which they came. One that judges a page waits until it can be seen.
  async act(name, value) {
    this.actions.push([name, value]);
    if (this.acting) return;
    this.acting = true;
    try {
      while (this.actions.length) {
        const [next, argument] = this.actions.shift();
        if (!this.night) continue;
        if (JUDGES.has(next) && this.page.canvas.dataset.epoch !== String(this.epoch) && !(await this.#seen())) {
          this.actions = [];
          this.say("There is no picture of this epoch to judge.", true);
          break;
        }
        ACTIONS[next](this, argument);
      }
    } finally {
      this.acting = false;
    }
  }

  // On or back by one window, or by more epochs.
  step(by) {
    if (Math.abs(by) > 1) this.turn(this.epoch + by);
    else this.turn(...this.view.further(this.night, this.epoch, this.view.offset, by));
  }

  answer(index) {
    const { epoch, night } = this;
    this.#edit({ kind: "stage", epoch, stage: index === null ? null : night.stages[index] });
    this.turn(epoch + 1);
  }

  agree() {
    const { epoch, night } = this;
    if (get("agree").disabled) return this.say("This epoch has no stage yet: give one.");
    this.#edit({ kind: "reviewed", epoch });
    const next = night.next(epoch, (candidate) => night.open(candidate));
    if (next === null) this.say("Nothing is left to be reviewed.");
    return this.turn(next ?? epoch + 1);
  }

  find(question, none) {
    const next = this.night.next(this.epoch, question);
    return next === null ? this.say(none) : this.turn(next);
  }

  // The time of lights off or on is the start of this epoch; at the same epoch again, it is taken back.
  lights(side) {
    const { night } = this;
    const at = night.epochs.onset_s[this.epoch];
    const other = night.lights[side === "off_s" ? "on_s" : "off_s"];
    if (other !== null && night.lights[side] !== at && (side === "off_s" ? at >= other : at <= other)) {
      return this.say("Lights off comes before lights on: move the other one first.");
    }
    return this.#edit({ kind: "lights", ...night.lights, [side]: night.lights[side] === at ? null : at });
  }

  note(text) {
    const { night, epoch } = this;
    if ((night.epochs.note[epoch] ?? "") !== text.trim()) this.#edit({ kind: "note", epoch, text: text.trim() });
  }

  history(kind) {
    if (this.night[kind === "undo" ? "can_undo" : "can_redo"]) this.#edit({ kind });
  }

  look(change) {
    if (change()) this.turn(this.epoch, this.view.offset);
  }
}

new Review().start();
