// Night: the answers of one recording as this window knows them, and questions about them.

const HOUR_S = 3600;

export class Night {
  constructor(told) {
    this.load(told);
  }

  load(told) {
    Object.assign(this, told);
    this.startDate = told.start ? new Date(`${told.start.slice(0, 19)}Z`) : null;
  }

  get endS() {
    return this.n ? this.epochs.onset_s[this.n - 1] + this.epoch_s : 0;
  }

  stage(epoch) {
    return this.epochs.stage[epoch];
  }

  reviewed(epoch) {
    return this.epochs.reviewed[epoch];
  }

  // Whether the model was unsure, and nobody has looked yet.
  marked(epoch) {
    return Boolean(this.epochs.review?.[epoch]) && !this.reviewed(epoch);
  }

  // The number of an epoch as scorers count, from 1.
  number(epoch) {
    return this.epochs.number[epoch] + 1;
  }

  // Whether an epoch is between lights off and lights on: its middle decides, as in the statistics.
  inBed(epoch) {
    const middle = this.epochs.onset_s[epoch] + this.epoch_s / 2;
    const { off_s: off, on_s: on } = this.lights;
    return (off === null || middle >= off) && (on === null || middle <= on);
  }

  // Whether somebody should still look at an epoch: the model was unsure, or nobody has answered.
  open(epoch) {
    if (this.reviewed(epoch) || this.epochs.unscored_reason[epoch]) return false;
    return this.marked(epoch) || (this.stage(epoch) === null && this.inBed(epoch));
  }

  // Whether the answer differs from the other scoring; without one, from the model's.
  differs(epoch) {
    const other = (this.epochs.against ?? this.epochs.model)?.[epoch];
    return Boolean(other && this.stage(epoch) && other !== this.stage(epoch));
  }

  // The next epoch after one for which a question is answered with yes, from the start again; or null.
  next(epoch, question) {
    for (let step = 1; step <= this.n; step += 1) {
      const candidate = (epoch + step) % this.n;
      if (question(candidate)) return candidate;
    }
    return null;
  }

  count(question) {
    let number = 0;
    for (let epoch = 0; epoch < this.n; epoch += 1) number += question(epoch);
    return number;
  }

  at(seconds) {
    const onsets = this.epochs.onset_s;
    let low = 0;
    let high = this.n - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (onsets[middle] <= seconds) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  clock(seconds, length = 8) {
    if (this.startDate) {
      return new Date(this.startDate.getTime() + seconds * 1000).toISOString().slice(11, 11 + length);
    }
    const hours = Math.floor(seconds / HOUR_S);
    const rest = new Date((seconds % HOUR_S) * 1000).toISOString().slice(14, 11 + length);
    return `${hours}:${rest}`;
  }

  // Apply an edit before the server has confirmed it. Undo and redo are known to the server only.
  expect(edit) {
    const { epochs } = this;
    if (edit.kind === "stage" || edit.kind === "reviewed") {
      epochs.reviewed[edit.epoch] = true;
      epochs.scorer[edit.epoch] = this.scorer;
      epochs.at[edit.epoch] = new Date().toISOString();
    }
    if (edit.kind === "stage") {
      epochs.stage[edit.epoch] = edit.stage;
      epochs.source[edit.epoch] = "scorer";
    } else if (edit.kind === "note") epochs.note[edit.epoch] = edit.text || null;
    else if (edit.kind === "lights") {
      for (const side of ["off_s", "on_s"]) if (side in edit) this.lights[side] = edit[side];
    }
  }

  // Apply what the server answered, but for epochs with newer edits that are still on their way.
  // Returns the epochs that it changed.
  confirm(answer, waiting) {
    this.revision = answer.revision;
    this.statistics = answer.statistics;
    this.can_undo = answer.can_undo;
    this.can_redo = answer.can_redo;
    this.unsaved = answer.unsaved;
    const changed = Object.entries(answer.changed?.epochs ?? {});
    for (const [key, values] of changed) {
      if (waiting.some((edit) => edit.epoch === Number(key))) continue;
      for (const [name, value] of Object.entries(values)) {
        if (this.epochs[name]) this.epochs[name][Number(key)] = value;
      }
    }
    const lights = answer.changed?.lights;
    if (lights && !waiting.some((edit) => edit.kind === "lights")) this.lights = lights;
    return changed.map(([key]) => Number(key)).sort((a, b) => a - b);
  }
}
