"""Question: what a model is asked about the pages, as it was taught or as the user wants it."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psgimg.builder.command_options import flag
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.build_json import BuildJson
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.errors import BuildError
from psgimg.builder.render.recipe import digest
from psgimg.finetune.data.chat import check_context
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.models import identity, provenance
from psgimg.finetune.models.identity import Known

MODES = ("score", "generate")


@dataclass(frozen=True)
class PredictConfig:
    """What `psgimg predict` is told.

    Parameters
    ----------
    model
        Folder or Hub id; with ``endpoint``, the name by which the server knows the model, which
        may be that of a folder that `psgimg sft` wrote.
    corpus, revision
        Of the dataset: a corpus, and a commit on the Hub.
    mode
        ``score`` compares the five answers, ``generate`` lets the model speak.
    batch_size
        Pages at a time; with ``endpoint``, requests at a time.
    prompt, context
        None asks as the model was taught, and a model that was not with the default prompt alone.
    limit
        So many pages, spread evenly over the split; None takes all.
    max_new_tokens
        Where an answer that does not end is cut off.
    dtype
        As the loader of models takes it.
    any_recipe
        Show the model pages that are drawn otherwise than those it learned from.
    send_restricted
        Send pictures of restricted corpora to a server that is not on this network.
    """

    model: str
    dataset: str
    out: Path
    split: str = "test"
    corpus: str | None = None
    revision: str | None = None
    mode: str = "score"
    batch_size: int = 16
    endpoint: str | None = None
    prompt: str | None = None
    context: int | None = None
    limit: int | None = None
    max_new_tokens: int = 32
    dtype: str = "auto"
    trust_remote_code: bool = False
    any_recipe: bool = False
    send_restricted: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BuildError(f"--mode {self.mode!r}: use {' or '.join(MODES)}")
        for name in ("batch_size", "limit", "max_new_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BuildError(f"{flag(name)} {value}: give 1 or more")


@dataclass(frozen=True)
class Question:
    """How a model is asked.

    Parameters
    ----------
    name
        Of the prompt.
    context
        Pages shown on either side.
    known
        What the model is.
    notes
        What the user should know of it, a line each.
    """

    prompt: Prompt
    name: str
    context: int
    known: Known
    notes: tuple[str, ...]

    def settings(self, config: PredictConfig, pageset: PageSet, n_pages: int) -> dict[str, Any]:
        """All that decides the predictions, as JSON values.

        The batch size is left out, so that a command that ran out of memory goes on with a smaller
        one: it moves probabilities in their last digits only.
        """
        shards = [s["sha256"] for s in pageset.build["shards"] if s["split"] == config.split]
        return {
            "model": config.model,
            "weights": self.known.weights,
            "endpoint": config.endpoint,
            "dataset": config.dataset,
            "config": pageset.source.config,
            "split": config.split,
            "revision": pageset.source.revision,
            "shards": digest(shards),
            "recipe_hash": pageset.build["recipe_hash"],
            "mode": config.mode,
            "prompt": {
                "name": self.name,
                "system": self.prompt.system,
                "question": self.prompt.question,
                "answers": dict(self.prompt.answers),
            },
            "context": self.context,
            "limit": config.limit,
            "pages": n_pages,
            "max_new_tokens": config.max_new_tokens,
            "dtype": config.dtype,
        }


def question(config: PredictConfig, pageset: PageSet) -> Question:
    """What to ask of the model about these pages.

    Raises
    ------
    BuildError
        If the pages are drawn otherwise than those the model learned from, there is no such prompt
        or model, or pictures of restricted corpora would leave this network; unless the user
        wants it so.
    """
    if config.endpoint is not None and not config.send_restricted:
        _refuse_to_send(config.endpoint, pageset.build)
    known = _known(config)
    folder = known.folder
    if folder is None:
        name = config.prompt or prompts.DEFAULT
        note = f"{config.model} was not taught by psgimg: it is asked with prompt {name}, as it is"
        context = config.context or 0
        check_context(context)
        return Question(prompts.load(name), name, context, known, (note,))
    notes = []
    if folder.recipe_hash != pageset.build["recipe_hash"]:
        said = (
            f"{config.model} learned from pages of recipe {folder.recipe_hash}, {config.dataset} is "
            f"drawn by recipe {pageset.build['recipe_hash']}"
        )
        if not config.any_recipe:
            raise BuildError(
                f"{said}; build the dataset with the model's recipe, or pass --any-recipe"
            )
        notes.append(said)
    people = {provenance.subject(*who) for who in provenance.subjects(pageset)}
    if known_to_it := people & set(folder.subjects):
        notes.append(
            f"{len(known_to_it)} of {len(people)} subjects of this split were learned from: figures on "
            "them say nothing about others"
        )
    prompt = folder.prompt if config.prompt is None else prompts.load(config.prompt)
    if prompt != folder.prompt:
        notes.append(f"asked with prompt {config.prompt}; it was taught with {folder.prompt_name}")
    context = folder.context if config.context is None else config.context
    check_context(context)
    if context != folder.context:
        notes.append(f"shown {context} pages on either side; it was taught with {folder.context}")
    return Question(prompt, config.prompt or folder.prompt_name, context, known, tuple(notes))


def _known(config: PredictConfig) -> Known:
    """What is known of the model; of a server's, only what a folder of that name here tells."""
    if config.endpoint is None or Path(config.model).expanduser().is_dir():
        return identity.known(config.model)
    return Known(None, "")


def _refuse_to_send(url: str, build: BuildJson) -> None:
    """Refuse to hand pictures of restricted corpora to a server elsewhere: that is passing them on."""
    if build["policy"] == "open" or _is_near(url):
        return
    names = [
        name
        for name, entry in build["corpora"].items()
        if not registry.is_open(name, entry["policy"])
    ]
    raise BuildError(
        f"--endpoint {url}: pictures of {', '.join(names)} may not be passed on, and this server is "
        "not on your network; serve the model yourself, or, if your agreement allows it, pass "
        "--send-restricted"
    )


def _is_near(url: str) -> bool:
    """Whether a server lies on this machine or in a private network."""
    try:
        found = socket.getaddrinfo(urlsplit(url).hostname, None)
        addresses = {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}
    except (OSError, ValueError, UnicodeError):
        return False
    return all(address.is_private or address.is_loopback for address in addresses)
