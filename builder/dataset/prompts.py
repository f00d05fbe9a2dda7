"""Prompts: the question about a page, and the answer for each stage. All of it is data in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypedDict

from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file
from psgimg.builder.render import way_up
from psgimg.builder.stages import STAGE_NAMES

DEFAULT = "closed"

TEXTS = ("system", "question")
REMARKS = ("source", "note")
KEYS = (*TEXTS, "answers", *REMARKS)

PLACEHOLDERS = ("<image>", "<video>", "<audio>")
"""Tokens that trainers replace by a file. psgimg adds the one of the page; another has no file."""


WAY_UP = "{way_up}"
"""Stands for the sentence that says which way is up; see ``Prompt.about``."""


class Message(TypedDict):
    """One turn of plain text; pictures are inserted by whoever has them."""

    role: str
    content: str


@dataclass(frozen=True)
class Prompt:
    """A question about one page.

    Parameters
    ----------
    system
        System message; "" for none.
    answers
        Stage name to the text that answers the question, for the five stages in their order.
    """

    system: str
    question: str
    answers: Mapping[str, str]

    def turns(self, question: str) -> list[Message]:
        """Return the system turn, if any, and that of the user, who asks ``question``."""
        system = [Message(role="system", content=self.system)] if self.system else []
        return [*system, Message(role="user", content=question)]

    def about(self, recipe: Mapping[str, Any]) -> Prompt:
        """Return the prompt for the pages of a recipe, as JSON, which decides which way is up."""
        if WAY_UP not in self.system + self.question:
            return self
        sentence = way_up.for_prompt(recipe["style"])
        system, question = (t.replace(WAY_UP, sentence) for t in (self.system, self.question))
        return Prompt(system, question, self.answers)


def load(name: str | Path) -> Prompt:
    """Load one of psgimg's own prompts by its name, or a prompt from a YAML file.

    The file has the keys ``system``, ``question`` and ``answers`` (stage to text), and optionally
    ``source`` and ``note``, which are for human readers. ``{way_up}`` in a text stands for the
    sentence that ``Prompt.about`` puts there.

    Raises
    ------
    BuildError
        If the prompt or file does not exist, a key is unknown or missing, a text is empty or
        contains an image placeholder, a stage has no answer, or two stages have the same answer.
    """
    presets = {
        file.name.removesuffix(".yaml"): file
        for file in resources.files("psgimg.cards").joinpath("prompts").iterdir()
        if file.name.endswith(".yaml")
    }
    if str(name) in presets:
        where = f"prompt {name}"
        return _prompt(
            yaml_file.parse(presets[str(name)].read_text(encoding="utf-8"), where), where
        )
    path = Path(name)
    if path.suffix not in yaml_file.SUFFIXES:
        raise BuildError(
            f"unknown prompt {str(name)!r}; use {', '.join(sorted(presets))} or a .yaml file"
        )
    return _prompt(yaml_file.read(path, "prompt file"), f"prompt file {path}")


def _prompt(values: Mapping[str, Any], where: str) -> Prompt:
    _check_keys(values, KEYS, REMARKS, where)
    for key in (*TEXTS, *(remark for remark in REMARKS if remark in values)):
        _check_text(values[key], key, where, empty=key != "question")
    answers = values["answers"]
    _check_keys(answers, STAGE_NAMES, (), f"{where}, answers")
    for stage in STAGE_NAMES:
        _check_text(answers[stage], f"the answer for {stage}", where)
    seen: dict[str, str] = {}
    for stage in STAGE_NAMES:
        first = seen.setdefault(answers[stage].strip().casefold(), stage)
        if first != stage:
            raise BuildError(
                f"{where}: {first} and {stage} have the same answer {answers[stage]!r}; "
                "give each stage its own"
            )
    return Prompt(
        values["system"].strip(),
        values["question"].strip(),
        {stage: answers[stage].strip() for stage in STAGE_NAMES},
    )


def _check_keys(values: Any, known: tuple[str, ...], optional: tuple[str, ...], where: str) -> None:
    if not isinstance(values, dict):
        raise BuildError(f"{where}: expected `key: value` lines with {', '.join(known)}")
    if unknown := [str(key) for key in values if key not in known]:
        raise BuildError(f"{where}: unknown key {unknown[0]!r}; use {', '.join(known)}")
    if missing := [key for key in known if key not in values and key not in optional]:
        required = [key for key in known if key not in optional]
        raise BuildError(f"{where}: {missing[0]} is missing; required are {', '.join(required)}")


def _check_text(value: Any, what: str, where: str, *, empty: bool = False) -> None:
    if not isinstance(value, str):
        raise BuildError(f"{where}: {what} is {value!r}, not text; put it in quotes")
    if not empty and not value.strip():
        raise BuildError(f"{where}: {what} is empty")
    if marks := [mark for mark in PLACEHOLDERS if mark in value]:
        raise BuildError(f"{where}: {what} contains {marks[0]}; remove it, psgimg inserts the page")
