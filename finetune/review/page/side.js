// Side: the stage of the present epoch, who gave it, the model's probabilities, note and lights.

import { get, make } from "./dom.js";

const KEYS = ["W", "1", "2", "3", "R"];
const NAMES = { W: "Wake", R: "REM" };

export class Side {
  // answer(index) for a stage, or null for none.
  constructor({ answer }) {
    this.answer = answer;
    this.buttons = [];
  }

  open(night) {
    const choices = [...night.stages.map((stage, index) => [index, NAMES[stage] ?? stage, KEYS[index]]), [null, "No stage", "?"]];
    this.buttons = choices.map(([index, name, key]) => {
      const bar = make("span", { className: "bar-of", "aria-hidden": "true" });
      const share = make("span", { className: "share" });
      const button = make(
        "button",
        { type: "button", "aria-pressed": "false" },
        make("kbd", {}, key),
        make("span", { className: "name" }, name),
        share,
        bar,
      );
      button.dataset.stage = index ?? "none";
      button.addEventListener("click", () => this.answer(index));
      return { index, button, bar, share };
    });
    get("answers").replaceChildren(...this.buttons.map(({ button }) => button));
  }

  show(night, epoch) {
    const row = night.epochs.p?.[epoch] ?? null;
    const stage = night.stage(epoch);
    const answered = stage !== null || night.epochs.source[epoch] === "scorer";
    for (const { index, button, bar, share } of this.buttons) {
      const chosen = index === null ? answered && stage === null : stage === night.stages[index];
      button.setAttribute("aria-pressed", String(chosen));
      if (index === null) continue;
      share.textContent = row ? `${(100 * row[index]).toFixed(row[index] < 0.1 ? 1 : 0)} %` : "";
      bar.style.transform = `scaleX(${row?.[index] ?? 0})`;
    }
    get("answers").classList.toggle("reviewed", night.reviewed(epoch));
    get("agree").disabled = !answered;
    get("who").replaceChildren(...this.#who(night, epoch));
    if (document.activeElement !== get("note")) get("note").value = night.epochs.note[epoch] ?? "";
    for (const [id, side] of [["lights-off", "off_s"], ["lights-on", "on_s"]]) {
      const at = night.lights[side];
      get(`${id}-at`).textContent = at === null ? "not set" : night.clock(at);
      get(id).setAttribute("aria-pressed", String(at === night.epochs.onset_s[epoch]));
    }
  }

  #who(night, epoch) {
    const { source, against, model, scorer, at, unscored_reason: reasons } = night.epochs;
    const by = `by ${scorer[epoch] || "the scorer"}${at[epoch] ? `, ${moment(at[epoch])}` : ""}`;
    const lines = [];
    const stage = night.stage(epoch);
    if (source[epoch] === "scorer") {
      const before = model?.[epoch] && model[epoch] !== stage ? `; the model said ${model[epoch]}` : "";
      lines.push(`Given ${by}${before}.`);
    } else if (stage === null) {
      lines.push(reasons[epoch] ? `No stage: ${reasons[epoch]}.` : "No stage yet.");
    } else {
      const from = source[epoch] === "model" ? "by the model" : "of the scoring";
      const stands = night.reviewed(epoch) ? `, confirmed ${by}` : "";
      lines.push(`Stage ${from}${stands}.`);
    }
    const parts = [make("span", {}, lines.join(" "))];
    if (night.marked(epoch)) {
      parts.push(make("span", { className: "flag marked" }, "⚑ to be reviewed"));
    }
    if (against?.[epoch]) {
      const differs = night.differs(epoch);
      const text = `${night.against_name}: ${against[epoch]}${differs ? " (differs)" : ""}`;
      parts.push(make("span", { className: differs ? "flag differs" : "flag" }, text));
    }
    return parts;
  }
}

const moment = (utc) => new Date(utc).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });

// The place and stage of an epoch in a sentence, for a screen reader.
export function spoken(night, epoch) {
  const stage = night.stage(epoch);
  const parts = [`Epoch ${night.number(epoch)}`, night.clock(night.epochs.onset_s[epoch])];
  parts.push(stage ? `${stage} ${night.epochs.source[epoch] === "scorer" ? "by the scorer" : ""}`.trim() : "no stage");
  const reason = night.epochs.unscored_reason[epoch];
  if (!stage && reason) parts.push(reason);
  if (night.marked(epoch)) parts.push("to be reviewed");
  if (night.epochs.against && night.differs(epoch)) parts.push(`${night.against_name} says ${night.epochs.against[epoch]}`);
  if (night.epochs.note[epoch]) parts.push(`note: ${night.epochs.note[epoch]}`);
  return parts.join(", ");
}
