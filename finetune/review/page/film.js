// Film: small pictures of the neighbouring epochs, with their stages; a press goes there.

import { get, make } from "./dom.js";
import * as server from "./server.js";

const BESIDE = 4;
const KEPT = 120;
const WAIT_MS = 90;

export class Film {
  constructor({ go }) {
    this.go = go;
    this.pictures = new Map();
    this.timer = 0;
  }

  show(night, epoch) {
    const items = [];
    for (let step = -BESIDE; step <= BESIDE; step += 1) {
      const there = epoch + step;
      if (there >= 0 && there < night.n) items.push(this.#item(night, there, step));
      else items.push(make("li", { className: `far${Math.abs(step)}`, "aria-hidden": "true" }));
    }
    const focused = get("film").contains(document.activeElement);
    get("film").replaceChildren(...items);
    if (focused) get("film").querySelector("[aria-current]").focus();
    clearTimeout(this.timer); // no small pictures while a key is held down
    this.timer = setTimeout(() => this.#fill(night, epoch), WAIT_MS);
  }

  #item(night, epoch, step) {
    const stage = night.stage(epoch);
    const flags = [night.marked(epoch) ? "⚑" : "", night.epochs.note[epoch] ? "✎" : ""];
    const image = make("img", { alt: "", draggable: false });
    image.dataset.epoch = epoch;
    const kept = this.pictures.get(`${night.id}/${epoch}`);
    if (kept) image.src = kept;
    const label = make("span", { className: "stage" }, stage ?? "–");
    label.dataset.stage = night.stages.indexOf(stage);
    const flagged = night.marked(epoch) ? ", to be reviewed" : "";
    const button = make(
      "button",
      { type: "button", "aria-label": `Epoch ${night.number(epoch)}, ${stage ?? "no stage"}${flagged}` },
      image,
      make("span", { className: "below" }, label, make("span", {}, flags.join("")), make("small", {}, String(night.number(epoch)))),
    );
    if (step === 0) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => this.go(epoch));
    return make("li", { className: `far${Math.abs(step)}` }, button);
  }

  async #fill(night, epoch) {
    const images = [...get("film").querySelectorAll("img")].filter((image) => !image.src && image.offsetParent);
    const near = (image) => Math.abs(image.dataset.epoch - epoch);
    for (const image of images.sort((a, b) => near(a) - near(b))) {
      if (!image.isConnected) return; // the page was turned
      const there = Number(image.dataset.epoch);
      try {
        const blob = await server.thumbnail(night.id, there);
        image.src = URL.createObjectURL(blob);
        this.pictures.set(`${night.id}/${there}`, image.src);
        this.#drop();
      } catch {
        return; // its number and stage are there all the same
      }
    }
  }

  #drop() {
    for (const [key, address] of this.pictures) {
      if (this.pictures.size <= KEPT) return;
      URL.revokeObjectURL(address);
      this.pictures.delete(key);
    }
  }
}
