"""Prediction config: options of `psgimg predict`, and the prompt and context they result in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psgimg.builder.command_options import flag
from psgimg.builder.dataset import prompts
from psgimg.builder.errors import BuildError
from psgimg.builder.files import secrets
from psgimg.builder.placing.parts import Part
from psgimg.builder.render.recipe import digest
from psgimg.finetune import hub
from psgimg.finetune.data.context import ALONE, WHOLE, Context
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.decoding import decoded
from psgimg.finetune.decoding.transitions import Transitions
from psgimg.finetune.inference import fold_checks, page_lanes
from psgimg.finetune.inference.page_lanes import PageLanes
from psgimg.finetune.inference.server import local_network
from psgimg.finetune.lanes.seen import LanesSeen
from psgimg.finetune.models import identity, provenance
from psgimg.finetune.models.identity import ModelIdentity
from psgimg.finetune.models.manifest import ModelFolder

MODES = ("score", "generate")


@dataclass(frozen=True)
class PredictConfig:
    """Options of `psgimg predict`.

    Parameters
    ----------
    model
        Folder or Hub id; with ``endpoint``, the name of the model on the server, which may also be
        a local folder written by `psgimg sft`.
    fold
        Fold of a cross-validation, of which ``split`` is a part.
    corpus, revision
        A corpus of the dataset; its branch, tag or commit on the Hub.
    mode
        ``score`` compares the probabilities of the five answers, ``generate`` parses generated text.
    batch_size
        Pages per batch; with ``endpoint``, simultaneous requests. None chooses it for the device.
    device
        Names of the devices, joined by commas; None means all GPUs, or the CPU.
    loaders
        Processes that prepare pages for each device, 0 for a thread; None chooses their number.
    prompt, context, context_scale
        None means as in training; for a model not fine-tuned with psgimg, the default prompt, no
        neighbours, and neighbours in pictures of their own.
    limit
        Maximum number of pages, spread evenly over the split; None means all.
    max_new_tokens
        Maximum length of a generated answer in tokens.
    dtype
        Precision, as in :func:`psgimg.finetune.models.loading.load_for_inference`.
    any_recipe
        Accept pages drawn by another recipe than that of the model.
    any_lanes
        Accept pages with lanes absent as on no training page of the model.
    without
        Names of lanes that are left out of all pages.
    each_lane_out
        Repeat the predictions without each lane in turn, each in a file of its own.
    send_restricted
        Send pictures of restricted corpora to a server outside the local network.
    part
        Predict a share of the recordings only; None means all of them.
    join
        Predict nothing, but join the parts.
    decode
        ``page`` stages each page by itself, ``night`` decodes whole nights.

    Raises
    ------
    BuildError
        If ``mode`` is unknown, a number is too small, or ``endpoint`` is no address.
    """

    model: str
    dataset: str
    out: Path
    split: str = "test"
    fold: int | None = None
    corpus: str | None = None
    revision: str | None = None
    mode: str = "score"
    batch_size: int | None = None
    device: str | None = None
    loaders: int | None = None
    endpoint: str | None = None
    prompt: str | None = None
    context: int | None = None
    context_scale: float | None = None
    limit: int | None = None
    max_new_tokens: int = 32
    dtype: str = "auto"
    trust_remote_code: bool = False
    any_recipe: bool = False
    any_lanes: bool = False
    without: Sequence[str] = ()
    each_lane_out: bool = False
    send_restricted: bool = False
    part: Part | None = None
    join: bool = False
    decode: str = decoded.PAGE

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BuildError(f"--mode {self.mode!r}: use {' or '.join(MODES)}")
        for name, least in (("batch_size", 1), ("limit", 1), ("max_new_tokens", 1), ("loaders", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise BuildError(f"{flag(name)} {value}: must be at least {least}")
        if self.endpoint is not None:
            local_network.require_address(self.endpoint)
        if self.each_lane_out and self.without:
            raise BuildError("--each-lane-out and --without: use only one of them")
        if self.decode not in decoded.DECODE:
            raise BuildError(f"--decode {self.decode!r}: use {' or '.join(decoded.DECODE)}")
        if self.decode == decoded.NIGHT and self.limit is not None:
            raise BuildError(
                "--decode night and --limit: a night is decoded whole; use only one of them"
            )
        if self.decode == decoded.NIGHT and self.mode != "score":
            raise BuildError("--decode night needs probabilities; leave --mode generate out")
        if self.part and self.join:
            raise BuildError("--part and --join: use --join alone when all parts are finished")


@dataclass(frozen=True)
class Question:
    """How a model is prompted.

    Parameters
    ----------
    name
        Name of the prompt.
    context
        How a page is shown with neighbours.
    n_shown
        The most neighbours shown on either side; fewer than ``context`` has are shown as at the edges
        of a night.
    identity
        Identity of the model.
    lanes
        Which lanes of the pages it sees.
    notes
        Notices for the user, a line each.
    decoding
        How the probabilities of the answers become those of the file.
    """

    prompt: prompts.Prompt
    name: str
    context: Context
    n_shown: int
    identity: ModelIdentity
    lanes: PageLanes
    notes: tuple[str, ...]
    decoding: decoded.Decoding = field(default_factory=decoded.Decoding)

    def settings(self, config: PredictConfig, pageset: PageSet, n_pages: int) -> dict[str, Any]:
        """Return everything that determines the predictions, as JSON values.

        The batch size is left out, so that a command that ran out of memory can be resumed with a
        smaller one: it changes only the last digits of probabilities.
        """
        fold = pageset.source.fold
        return {
            "model": config.model,
            "weights": self.identity.weights,
            "endpoint": secrets.mask(config.endpoint) if config.endpoint else None,
            "dataset": config.dataset,
            "config": pageset.source.config,
            "split": config.split,
            "fold": fold.values() if fold else None,
            "revision": pageset.source.revision,
            "shards": digest(pageset.source.hashes),
            "recipe_hash": pageset.build["recipe_hash"],
            "mode": config.mode,
            "prompt": {
                "name": self.name,
                "system": self.prompt.system,
                "question": self.prompt.question,
                "answers": dict(self.prompt.answers),
            },
            "context": self.n_shown,
            "context_scale": self.context.scale,
            "without": list(config.without),
            "limit": config.limit,
            "pages": n_pages,
            "max_new_tokens": config.max_new_tokens,
            "dtype": config.dtype,
            **self.decoding.settings(),
        }


def question(config: PredictConfig, pageset: PageSet) -> Question:
    """Return how to prompt the model about these pages.

    Raises
    ------
    BuildError
        If the prompt or model does not exist; if the pages are drawn by another recipe than that of
        the model, unless ``any_recipe``; if nights are to be decoded by a model that was not calibrated for
        it; if lanes are absent as on no page that it was trained on,
        unless ``any_lanes``, or can't be left out; or if pictures of restricted corpora would leave the
        local network, unless ``send_restricted``.
    """
    if config.endpoint is not None and not config.send_restricted:
        local_network.require_own(config.endpoint, pageset.restricted)
    model_identity = _identity(config)
    folder = model_identity.folder
    if folder is None:
        decoding = decoded.of_model(Transitions(), None, config.decode, config.model)
        name = config.prompt or prompts.DEFAULT
        note = (
            f"{config.model} was not fine-tuned with psgimg: it is given prompt {name}, zero-shot"
        )
        context = _context(config, ALONE)
        asked = prompts.load(name).about(pageset.build["recipe"])
        lanes = _lanes(config, pageset, None)
        return Question(
            asked, name, context, context.pages, model_identity, lanes, (note,), decoding
        )
    notes = []
    if folder.recipe_hash != pageset.build["recipe_hash"]:
        mismatch = (
            f"{config.model} was trained on pages of recipe {folder.recipe_hash}, but "
            f"{config.dataset} is drawn by recipe {pageset.build['recipe_hash']}"
        )
        if not config.any_recipe:
            raise BuildError(
                f"{mismatch}; build the dataset with the model's recipe, or pass --any-recipe"
            )
        notes.append(mismatch)
    hashes = {provenance.subject(*key) for key in provenance.subjects(pageset)}
    leaked = hashes & set(folder.subjects)
    fold_checks.check(config.model, folder.fold, pageset.source, len(leaked), len(hashes))
    if leaked:
        notes.append(
            f"{len(leaked)} of {len(hashes)} subjects of this split were used for training: metrics "
            "on them say nothing about others"
        )
    prompt = folder.prompt
    if config.prompt is not None:
        prompt = prompts.load(config.prompt).about(pageset.build["recipe"])
    if prompt != folder.prompt:
        notes.append(f"prompt {config.prompt}; the model was trained with {folder.prompt_name}")
    context, n_shown, other = _neighbours(config, folder)
    lanes = _lanes(config, pageset, folder.lanes)
    name = config.prompt or folder.prompt_name
    decoding = decoded.of_model(folder.transitions, folder.calibration, config.decode, config.model)
    notes += [*other, *lanes.notes]
    return Question(prompt, name, context, n_shown, model_identity, lanes, tuple(notes), decoding)


def _context(config: PredictConfig, trained: Context) -> Context:
    """Return the neighbours that pages are shown with: as in training, unless options say otherwise."""
    pages = trained.pages if config.context is None else config.context
    scale = trained.scale if config.context_scale is None else config.context_scale
    if pages == 0 and config.context_scale not in (None, WHOLE):
        raise BuildError(
            f"--context-scale {scale:g}: no neighbours are shown; add --context K, or leave it out"
        )
    return Context(pages, scale)


def _neighbours(config: PredictConfig, folder: ModelFolder) -> tuple[Context, int, list[str]]:
    """Return how a model's pages are shown, the most neighbours on a side, and notes on a difference.

    Where there are fewer than in training, the others are missing from pages shown as in training.
    """
    asked = _context(config, folder.shown)
    if asked == folder.shown:
        return asked, asked.pages, []
    note = f"{asked.words}; the model was trained with {folder.shown.words}"
    if asked.scale != folder.context_scale or asked.pages > folder.context:
        return asked, asked.pages, [note]
    note += ", and fewer on some pages" if folder.context_mixed else ""
    return folder.shown, asked.pages, [note]


def _lanes(config: PredictConfig, pageset: PageSet, seen: LanesSeen | None) -> PageLanes:
    return page_lanes.of(
        pageset, seen, config.without, any_lanes=config.any_lanes, model=config.model
    )


def _identity(config: PredictConfig) -> ModelIdentity:
    """Return the identity of the model; for one on a server, that of a local folder of its name."""
    if config.endpoint is None or hub.folder(config.model):
        return identity.identify(config.model)
    return ModelIdentity(None, "")
