"""Step: one command of a study, named by its settings and by the contents of the files it uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.render.recipe import digest
from psgimg.finetune.study.content_hash import contents

FOLDERS = {
    "build": "builds",
    "sft": "models",
    "predict": "predictions",
    "calibrate": "predictions",
    "evaluate": "evaluations",
    "explain": "explanations",
}
"""Subfolder of the study for the output of each command; a baseline's is that of predictions."""

FINISHED = {
    "build": "build.json",
    "sft": "README.md",
    "evaluate": "metrics.json",
    "explain": "report.md",
}
"""The file that each command writes last, relative to its output; of others the output is a file."""


@dataclass(frozen=True)
class Step:
    """One command of a study.

    Parameters
    ----------
    command
        Name of the command.
    words
        Arguments after ``psgimg``; paths in the study's folder begin with ``@/``.
    id
        Unique name, which depends on the settings and on the contents of the files that they name.
    made
        Output of the command, relative to the study's folder.
    needs
        Steps that must be finished first.
    """

    command: str
    words: tuple[str, ...]
    id: str
    made: str
    needs: tuple[Step, ...]

    @property
    def finished(self) -> str:
        """The file that exists once the command is finished, relative to the study's folder."""
        last = FINISHED.get(self.command)
        return f"{self.made}/{last}" if last else self.made

    @property
    def own(self) -> str:
        """The unique name without that of the command."""
        return self.id.removeprefix(f"{self.command}-")


def make(
    command: str, words: list[str], name: str, needs: tuple[Step, ...] = (), suffix: str = ""
) -> Step:
    """Return a step whose id is unique to its settings and to the contents of its input files."""
    own = _own(words, name)
    made = f"{FOLDERS[command]}/{own}{suffix}"
    out = "--output-dir" if command == "sft" else "--out"
    return Step(command, (*words, out, f"@/{made}"), f"{command}-{own}", made, needs)


def make_baseline(words: list[str], method: str, needs: tuple[Step, ...]) -> Step:
    """Return the step of a baseline, which writes a folder with one file of predictions."""
    own = _own(words, method)
    folder = f"{FOLDERS['predict']}/{own}"
    made = f"{folder}/{method}.parquet"
    return Step("baseline", (*words, "--out", f"@/{folder}"), f"baseline-{own}", made, needs)


def evaluation(prediction: Step) -> Step:
    """Return the step that evaluates the predictions of another."""
    own = prediction.own
    made = f"{FOLDERS['evaluate']}/{own}"
    words = ("evaluate", f"@/{prediction.made}", "--out", f"@/{made}")
    return Step("evaluate", words, f"evaluate-{own}", made, (prediction,))


def place(source: Step | str) -> str:
    """Return the word for a dataset or model: one of the study, or one that exists."""
    return source if isinstance(source, str) else f"@/{source.made}"


def only_steps(*sources: Step | str) -> tuple[Step, ...]:
    """Return the sources that the study makes itself, each once."""
    return tuple(dict.fromkeys(step for step in sources if isinstance(step, Step)))


def _own(words: list[str], name: str) -> str:
    key = digest({"words": words, "contents": contents(words)})[:8]
    return f"{Path(name).name.lower()}-{key}"


def ordered(goals: Iterable[Step]) -> list[Step]:
    """Return the steps and all that they need, without duplicates, in order of execution."""
    found: dict[str, Step] = {}

    def add(step: Step) -> None:
        for need in step.needs:
            add(need)
        found.setdefault(step.id, step)

    for goal in goals:
        add(goal)
    return list(found.values())
