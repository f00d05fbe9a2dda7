"""Step: one command of a study, named by its settings and by the contents of the files it reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psgimg.builder.render.recipe import digest
from psgimg.finetune.study.content_hash import contents

FOLDERS = {
    "build": "builds",
    "sft": "models",
    "predict": "predictions",
    "evaluate": "evaluations",
    "explain": "explanations",
}
"""Subfolder of the study for the output of each command."""

FINISHED = {
    "build": "build.json",
    "sft": "README.md",
    "predict": "",
    "evaluate": "metrics.json",
    "explain": "explanation.json",
}
"""The file that each command writes last, relative to its output; empty if the output is a file."""


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
        last = FINISHED[self.command]
        return f"{self.made}/{last}" if last else self.made


def make(
    command: str,
    words: Sequence[str],
    name: str,
    needs: tuple[Step, ...] = (),
    suffix: str = "",
) -> Step:
    """Return a step whose id is unique to its settings and to the contents of its input files."""
    key = digest({"words": list(words), "contents": contents(words)})[:8]
    own = f"{name.lower()}-{key}"
    made = f"{FOLDERS[command]}/{own}{suffix}"
    out = "--output-dir" if command == "sft" else "--out"
    return Step(command, (*words, out, f"@/{made}"), f"{command}-{own}", made, needs)


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
