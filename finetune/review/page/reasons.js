// Reasons: how much the model's answer hangs on each lane and each part of the page.

import { get, make } from "./dom.js";
import * as server from "./server.js";

const PAGE_S = 30;

export class Reasons {
  constructor() {
    this.of = null;
  }

  hide() {
    this.of = null;
    get("reasons").hidden = true;
    get("why").setAttribute("aria-pressed", "false");
    for (const old of get("marks").querySelectorAll(".because")) old.remove();
  }

  // Ask for the reasons of an epoch and show them, or hide those that are shown.
  async toggle(night, epoch, labels) {
    if (this.of === epoch) return this.hide();
    this.of = epoch;
    get("why").setAttribute("aria-pressed", "true");
    this.#write(make("p", {}, "Computing what the answer hangs on …"));
    try {
      const told = await server.why(night.id, epoch);
      if (this.of !== epoch) return undefined;
      this.#write(...this.#lanes(told, night));
      this.#seconds(told, night, epoch, labels());
    } catch (error) {
      if (this.of === epoch) this.#write(make("p", {}, error.message));
    }
    return undefined;
  }

  #write(...content) {
    get("reasons").replaceChildren(make("h3", {}, "Why"), ...content);
    get("reasons").hidden = false;
  }

  #lanes({ model, stage, p, lanes }, night) {
    const most = Math.max(0.01, ...lanes.map(({ drop }) => drop));
    const rows = lanes.map(({ name, drop }) => {
      const bar = make("span", { className: "drop", "aria-hidden": "true" });
      bar.style.transform = `scaleX(${Math.max(0, drop) / most})`;
      return make("li", {}, make("span", {}, name), make("span", {}, signed(drop)), bar);
    });
    const share = (100 * p[night.stages.indexOf(stage)]).toFixed(0);
    const says =
      `${model} says ${stage} (${share} %). How far that stage's lead over the next one (difference of ` +
      "log-probabilities) falls when a lane, or 3 s of all, is replaced by that of another page:";
    return [make("p", {}, says), make("ul", {}, ...rows)];
  }

  // A strip along the top of the page; the darker, the more hangs on these seconds.
  #seconds({ seconds }, night, epoch, labels) {
    if (!labels) return;
    const start = night.epochs.onset_s[epoch] - (PAGE_S - night.epoch_s) / 2;
    const most = Math.max(0.01, ...seconds.map(({ drop }) => drop));
    const x = (at) => (((start + at - labels.from_s) / (labels.to_s - labels.from_s)) * labels.width) / devicePixelRatio;
    for (const { from_s: from, to_s: to, drop } of seconds) {
      const part = make("div", { className: "because" });
      part.style.left = `${x(from)}px`;
      part.style.width = `${x(to) - x(from)}px`;
      part.style.setProperty("--share", Math.max(0, drop) / most);
      part.append(make("span", {}, signed(drop)));
      get("marks").append(part);
    }
  }
}

const signed = (drop) => `${drop < 0 ? "+" : "−"}${Math.abs(drop).toFixed(1)}`;
