// Actions: what keys, buttons and fields of the page do.

import { get } from "./dom.js";
import { meaning, taken, writeHelp } from "./keys.js";

const SWIPE_PX = 50;

// These judge the page that is shown, and wait until one is.
export const JUDGES = new Set(["stage", "agree"]);

export const ACTIONS = {
  go: (review, epoch) => review.turn(epoch),
  step: (review, by) => review.step(by),
  stage: (review, index) => review.answer(index),
  agree: (review) => review.agree(),
  nextOpen: (review) => review.find((k) => review.night.open(k), "Nothing is left to be reviewed."),
  nextDifference: (review) => review.find((k) => review.night.differs(k), "There is no difference."),
  undo: (review) => review.history("undo"),
  redo: (review) => review.history("redo"),
  note: () => get("note").select(),
  lights: (review, side) => review.lights(side),
  scale: (review, by) => review.look(() => review.view.rescale(by)),
  window: (review, by) => review.look(() => review.view.rewindow(by)),
  filters: (review) => review.look(() => review.view.refilter()),
  polarity: (review, lane) => review.look(() => review.view.turnOver(review.night, lane)),
  why: (review) => review.reasons.toggle(review.night, review.epoch, () => review.page.labels),
  help: () => get("help").showModal(),
};

const BUTTONS = {
  undo: ["undo"],
  redo: ["redo"],
  back: ["step", -1],
  on: ["step", 1],
  "next-review": ["nextOpen"],
  "next-difference": ["nextDifference"],
  shorter: ["window", -1],
  longer: ["window", 1],
  smaller: ["scale", -1],
  larger: ["scale", 1],
  filters: ["filters"],
  polarity: ["polarity", null],
  why: ["why"],
  agree: ["agree"],
  "lights-off": ["lights", "off_s"],
  "lights-on": ["lights", "on_s"],
};

export function listen(review) {
  writeHelp();
  addEventListener("hashchange", () => review.route());
  addEventListener("beforeunload", (event) => {
    if (review.saving && !review.saving.idle) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const action = !taken(event) && meaning(event);
    if (!action) return;
    event.preventDefault();
    review.act(...action);
  });
  for (const [id, action] of Object.entries(BUTTONS)) {
    get(id).addEventListener("click", () => review.act(...action));
  }
  get("help-open").addEventListener("click", () => get("help").showModal());
  get("to-worklist").addEventListener("click", () => (location.hash = ""));
  get("agreement-fold").addEventListener("toggle", () => review.night && review.redraw());
  listenNote(review);
  listenSwipe(review);
}

// A finger that wipes the page aside turns it.
function listenSwipe(review) {
  let start = null;
  get("room").addEventListener("pointerdown", (event) => {
    start = event.pointerType === "mouse" ? null : event;
  });
  get("room").addEventListener("pointerup", (event) => {
    const [right, down] = start ? [event.clientX - start.clientX, event.clientY - start.clientY] : [0, 0];
    start = null;
    if (Math.abs(right) > SWIPE_PX && Math.abs(right) > 2 * Math.abs(down)) {
      review.act("step", right < 0 ? 1 : -1);
    }
  });
}

// A note is saved when its field is left, for the epoch at which it was entered.
function listenNote(review) {
  const field = get("note");
  const written = () => review.night.epochs.note[review.epoch] ?? "";
  let epoch = null;
  get("note-form").addEventListener("submit", (event) => {
    event.preventDefault();
    field.blur();
  });
  field.addEventListener("focus", () => (epoch = review.epoch));
  field.addEventListener("blur", () => {
    if (review.night && epoch === review.epoch) review.note(field.value);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    field.value = written();
    field.blur();
  });
}
