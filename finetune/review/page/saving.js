// Saving: edits go to the server in the order in which they were made, one request at a time.
//
// An edit stays in the queue until the server has written it down. While the server does not answer,
// the page says so, tries again, and asks before it is closed.

import * as server from "./server.js";

const AGAIN_MS = 1000;
const AT_ONCE = 100;
const TURNING = new Set(["undo", "redo"]);

export class Saving {
  // changed(epochs, edits) after each confirmed request; state("saved" | "saving" | "waiting", text);
  // stale(lost, error) when another window was first, or an edit was refused.
  constructor(night, { changed, state, stale }) {
    Object.assign(this, { night, changed, state, stale, queue: [], running: null });
  }

  get idle() {
    return this.queue.length === 0;
  }

  // Resolves once nothing is waiting any more.
  async drained() {
    await this.running;
  }

  add(edit) {
    this.night.expect(edit);
    this.queue.push(edit);
    this.running ??= this.#send().finally(() => (this.running = null));
  }

  // How many edits go in one request: undo and redo go alone.
  #together() {
    if (TURNING.has(this.queue[0].kind)) return 1;
    const turn = this.queue.findIndex(({ kind }) => TURNING.has(kind));
    return Math.min(AT_ONCE, turn === -1 ? this.queue.length : turn);
  }

  async #send() {
    const { night } = this;
    while (this.queue.length) {
      const edits = this.queue.slice(0, this.#together());
      this.state("saving", "Saving …");
      try {
        const answer = await server.edit(night.id, night.revision, edits);
        this.queue.splice(0, edits.length);
        const epochs = night.confirm(answer, this.queue);
        if (this.idle) this.state("saved", "Saved");
        this.changed(epochs, edits);
      } catch (error) {
        if (error instanceof server.Refused && error.status < 500 && error.status !== 403) {
          await this.stale(this.queue.splice(0), error);
        } else {
          const why = error instanceof server.Refused ? error.message : "The server does not answer.";
          const what = this.queue.length === 1 ? "1 change is" : `${this.queue.length} changes are`;
          this.state("waiting", `Not saved: ${what} waiting. ${why}`);
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        }
      }
    }
  }
}
