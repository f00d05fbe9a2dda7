// View: how pages are looked at. It changes no stage, and is the same for all epochs.

const SECONDS = [10, 15, 20, 30, 60, 120, 300];
const FACTORS = [1 / 10, 1 / 5, 1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3, 5];

export class View {
  constructor() {
    this.seconds = 30;
    this.offset = 0; // seconds into the epoch at which a window shorter than it begins
    this.uv = 1;
    this.filters = true;
    this.flip = new Set();
  }

  get window() {
    return this.seconds < 60 ? `${this.seconds} s` : `${this.seconds / 60} min`;
  }

  get scale() {
    return `×${Number((1 / this.uv).toPrecision(2))}`;
  }

  // Each returns whether anything changed.

  rewindow(by) {
    const next = SECONDS[SECONDS.indexOf(this.seconds) + by];
    const changed = next !== undefined;
    if (changed) this.seconds = next;
    this.offset = 0;
    return changed;
  }

  // The epoch and offset that lie some windows on: a window shorter than an epoch shows its parts.
  further(night, epoch, offset, by) {
    const last = Math.max(0, Math.ceil(night.epoch_s / this.seconds) - 1);
    const part = epoch * (last + 1) + Math.round(offset / this.seconds) + by;
    const most = night.n * (last + 1) - 1;
    const place = Math.max(0, Math.min(most, part));
    return [Math.floor(place / (last + 1)), (place % (last + 1)) * this.seconds];
  }

  rescale(by) {
    const next = FACTORS[FACTORS.indexOf(this.uv) - by];
    const changed = next !== undefined;
    if (changed) this.uv = next;
    return changed;
  }

  refilter() {
    this.filters = !this.filters;
    return true;
  }

  // One lane, or all: those that are turned over go back first.
  turnOver(night, lane) {
    if (lane) {
      if (!this.flip.delete(lane)) this.flip.add(lane);
    } else if (this.flip.size) this.flip.clear();
    else this.flip = new Set(night.lanes.filter(({ absent }) => !absent).map(({ name }) => name));
    return true;
  }
}
