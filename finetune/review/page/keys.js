// Keys: what each key does, as one table from which the help is made too.
//
// Letters count with and without Shift and Caps Lock, but for Shift-U.

import { get, make } from "./dom.js";

// [name of the action, its argument, keys, keys in words, what it does]
const TABLE = [
  ["step", 1, ["ArrowRight"], "→", "next epoch"],
  ["step", -1, ["ArrowLeft"], "←", "previous epoch"],
  ["step", 10, ["PageDown"], "Page Down", "ten epochs on"],
  ["step", -10, ["PageUp"], "Page Up", "ten epochs back"],
  ["step", -Infinity, ["Home"], "Home", "first epoch"],
  ["step", Infinity, ["End"], "End", "last epoch"],
  ["stage", 0, ["w", "0"], "W or 0", "wake, and on to the next"],
  ["stage", 1, ["1"], "1", "N1, and on"],
  ["stage", 2, ["2"], "2", "N2, and on"],
  ["stage", 3, ["3"], "3", "N3, and on"],
  ["stage", 4, ["r", "5"], "R or 5", "REM, and on"],
  ["stage", null, ["?"], "?", "no stage (can't be scored), and on"],
  ["agree", null, ["Enter"], "Enter", "the stage stands; next to be reviewed"],
  ["nextOpen", null, ["n"], "n", "next to be reviewed"],
  ["nextDifference", null, ["d"], "d", "next difference"],
  ["undo", null, ["u", "ctrl+z"], "u or Ctrl-Z", "undo"],
  ["redo", null, ["shift+u", "ctrl+y", "ctrl+shift+z"], "Shift-U or Ctrl-Y", "redo"],
  ["note", null, ["m"], "m", "note on this epoch; Enter saves, Esc leaves"],
  ["lights", "off_s", ["["], "[", "lights off here; again: take back"],
  ["lights", "on_s", ["]"], "]", "lights on here; again: take back"],
  ["scale", 1, ["+", "="], "+", "waves larger"],
  ["scale", -1, ["-"], "−", "waves smaller"],
  ["window", -1, [","], ",", "shorter window, down to 10 s"],
  ["window", 1, ["."], ".", "longer window, up to 5 min"],
  ["filters", null, ["f"], "f", "filters on or off"],
  ["polarity", null, ["p"], "p", "turn all lanes over (one: press its name)"],
  ["why", null, ["y"], "y", "why: what the model's answer hangs on"],
  ["help", null, ["h"], "h", "this list; Esc closes it"],
];

const BY_KEY = new Map(TABLE.flatMap(([action, value, keys]) => keys.map((key) => [key, [action, value]])));

// The action of a key and its argument, or undefined.
export function meaning(event) {
  if (event.altKey || event.isComposing) return undefined;
  const letter = event.key.length === 1;
  const key = letter ? event.key.toLowerCase() : event.key;
  const ctrl = event.ctrlKey || event.metaKey ? "ctrl+" : "";
  const shifted = event.shiftKey && BY_KEY.get(`${ctrl}shift+${key}`);
  return shifted || BY_KEY.get(ctrl + key);
}

// Whether a key belongs to the element that has the focus: a field that is typed in, a pressed button.
export function taken(event) {
  const { target } = event;
  if (target.closest("input, textarea, select, dialog")) return true;
  return event.key === "Enter" && Boolean(target.closest("button, a, summary"));
}

export function writeHelp() {
  const rows = TABLE.map(([, , , keys, text]) =>
    make("div", {}, make("dt", {}, make("kbd", {}, keys)), make("dd", {}, text)),
  );
  get("keys").replaceChildren(...rows);
}
