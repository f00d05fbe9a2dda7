// Worklist: the nights of a folder, with how far each has been reviewed.

import { get, make } from "./dom.js";

export function showWorklist({ nights, blind }) {
  const done = nights.filter((night) => night.done).length;
  get("worklist-says").textContent =
    `${done} of ${nights.length} done${blind ? ". Blind: no answer of a model is shown, and the nights are shuffled" : ""}.`;
  get("nights").replaceChildren(...nights.map((night) => make("li", {}, link(night))));
}

function link(night) {
  const { all, done, says } = progress(night);
  const bar = make("progress", { max: all || 1, value: all ? done : 1, "aria-label": `Progress of ${night.name}` });
  const state = night.done ? make("span", { className: "done" }, "✓ done") : make("span", {}, says);
  return make("a", { href: `#${encodeURIComponent(night.id)}` }, make("b", {}, night.name), bar, state);
}

// A staged night is done when what the model was unsure of was looked at, another when all is scored.
function progress({ epochs, reviewed, to_review: left, unscored, has_model: hasModel }) {
  if (hasModel) {
    const says = left ? `${left.toLocaleString("en")} to be reviewed` : "nothing to be reviewed";
    return { all: left + reviewed, done: reviewed, says: `${says}, ${reviewed.toLocaleString("en")} reviewed` };
  }
  const all = epochs;
  const done = epochs - unscored;
  return { all, done, says: `${done.toLocaleString("en")} of ${all.toLocaleString("en")} epochs with a stage` };
}
