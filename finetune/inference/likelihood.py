"""Scoring: how probable each of the five answers is, whole and with the end of the turn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import SILENT
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import encoding
from psgimg.finetune.inference.encoding import Candidates, Encoded
from psgimg.finetune.inference.prefix_tree import Tree
from psgimg.finetune.models import compatibility
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

Floats = npt.NDArray[np.float64]
Way = Literal["tree", "forwards"]

KEYED = (DynamicLayer, DynamicSlidingWindowLayer)
"""Layers of a cache that keep keys and values token by token, so that a mask can hide an answer
from another. Others, such as the running states of linear attention, mix all that they have seen."""

TOLERANCE = 0.01
ROUGH_TOLERANCE = 0.5
"""In half precision, where logits near 20 are 0.125 apart. A wrong position or mask costs more."""


@dataclass(frozen=True)
class Scores:
    """How probable the five answers are on n pages.

    Parameters
    ----------
    log_probs
        (n, 5) natural logarithms in the order of the stages; the probabilities of a page add up to
        1. Lengths of the answers are not divided out: each is one event.
    log_mass
        (n,) logarithm of what the model gave all five together; far below 0 where it wanted to say
        something else.
    """

    log_probs: Floats
    log_mass: Floats


class Scorer:
    """Scores pages with one model and one set of answers.

    A prompt goes through the model once, and then the five answers together, as a tree behind its
    cache. On the first page this is compared with whole forwards, which are what remains for a
    model that gives something else behind its cache.

    Parameters
    ----------
    answers
        Stage → text.
    note
        Shows one line to the user: that scoring takes whole forwards, and so four to five times
        as long.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        answers: Mapping[str, str],
        note: Callable[[str], None] = SILENT.note,
    ) -> None:
        self._model, self._processor, self._answers = model, processor, answers
        self._takes, self._note = _takes(model), note
        self._told: Candidates | None = None
        self._probe: Encoded = {}
        self.way: Way | None = None
        """How answers are scored; None before the first page."""

    def __call__(self, rows: Sequence[ChatRow]) -> Scores:
        """Score some pages, which may differ in size and in number of pictures.

        Raises
        ------
        BuildError
            If the model gives no numbers.
        """
        return self.score(self.prepare(rows))

    def prepare(self, rows: Sequence[ChatRow]) -> Encoded:
        """What ``score`` takes of some pages; may run in a thread while another batch is scored."""
        if self._told is None:
            self._probe = encoding.encode(self._model, self._processor, rows[:1])
            self._told = encoding.candidates(self._processor, rows[0], self._answers)
        return encoding.encode(self._model, self._processor, rows)

    def score(self, encoded: Encoded) -> Scores:
        """Score what was prepared."""
        with _answering(self._model):
            if self.way is None:
                self._use(self._choose(self._probe))
            sums = self._fastest(encoded)
        return _normalised(sums)

    def full(self, rows: Sequence[ChatRow]) -> Scores:
        """The same by five whole forwards, each with the pictures: slow, and right by definition."""
        encoded = self.prepare(rows)
        with _answering(self._model):
            sums = self._by_forwards(encoded)
        return _normalised(sums)

    def _choose(self, encoded: Encoded) -> Way:
        """The tree, if it gives on a page what whole forwards give."""
        right = self._by_forwards(encoded)
        allowed = ROUGH_TOLERANCE if _is_rough(self._model) else TOLERANCE
        try:
            difference = float((self._by_tree(encoded) - right).abs().max())
        except torch.OutOfMemoryError:
            raise
        except (
            _NoBranchesError,
            AttributeError,
            IndexError,
            RuntimeError,
            TypeError,
            ValueError,
        ):
            return "forwards"  # a family's own bookkeeping, which only trying can tell
        return "tree" if difference <= allowed else "forwards"

    def _use(self, way: Way) -> None:
        """Score this way from now on."""
        self.way = way
        if way == "forwards":
            self._note(
                f"{type(_bare(self._model)).__name__} can't score all answers behind one cached "
                "prompt: each page takes five whole forwards, four to five times as long"
            )

    def _fastest(self, encoded: Encoded) -> torch.Tensor:
        """(n, 5) sums of log-probabilities, the way that was chosen."""
        if self.way == "tree":
            try:
                return self._by_tree(encoded)
            except _NoBranchesError:  # longer prompts than that of the first page
                self._use("forwards")
        return self._by_forwards(encoded)

    def _by_tree(self, encoded: Encoded) -> torch.Tensor:
        """(n, 5) sums of log-probabilities, from one forward of the prompts and one of the tree."""
        tree = Tree.of(self._candidates(encoded["input_ids"].device))
        mask = encoded["attention_mask"]
        out = self._model(**encoded, **self._positions(mask), **self._keep(1), use_cache=True)
        cache = compatibility.cache_of(out)
        if not _can_branch(cache, mask.shape[1] + len(tree.tokens)):
            raise _NoBranchesError
        known = mask.sum(-1, keepdim=True)
        tokens = torch.tensor(tree.tokens, device=mask.device).expand(len(mask), -1)
        depths = torch.tensor(tree.depths, device=mask.device)
        after = self._model(
            input_ids=tokens,
            attention_mask=tree.mask(mask, out.logits.dtype),
            use_cache=True,
            **compatibility.cache_argument(cache, self._takes),
            **self._positions_after(known, depths),
        ).logits
        return tree.sums(out.logits[:, -1], after)

    def _by_forwards(self, encoded: Encoded) -> torch.Tensor:
        """(n, 5) sums of log-probabilities, from a forward of prompt and answer for each answer."""
        told = self._candidates(encoded["input_ids"].device)
        sums = []
        for padded, mask in zip(told.ids, told.mask, strict=True):
            n, n_tokens = len(encoded["input_ids"]), int(mask.sum())
            after = {
                "input_ids": padded[:n_tokens].expand(n, -1),
                "attention_mask": mask[:n_tokens].expand(n, -1),
            }
            whole = {
                key: torch.cat([value, after.get(key, value.new_zeros(n, n_tokens))], dim=1)
                if key in after or key.endswith("token_type_ids")
                else value
                for key, value in encoded.items()
            }
            logits = self._model(
                **whole,
                **self._positions(whole["attention_mask"]),
                **self._keep(n_tokens + 1),
                use_cache=False,
            ).logits[:, -n_tokens - 1 : -1]
            sums.append(_sums(logits, after["input_ids"], after["attention_mask"]))
        return torch.stack(sums, dim=1)

    def _candidates(self, device: torch.device) -> Candidates:
        assert self._told is not None
        return Candidates(self._told.ids.to(device), self._told.mask.to(device))

    def _keep(self, n_logits: int) -> dict[str, int]:
        """Asks for the last logits only: those of a whole prompt would fill the memory."""
        return {"logits_to_keep": n_logits} if "logits_to_keep" in self._takes else {}

    def _positions(self, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Positions that do not count the padding, unless the model has its own way to count."""
        if "position_ids" not in self._takes or _deltas(self._model) is not None:
            return {}
        return {"position_ids": (mask.long().cumsum(-1) - 1).clamp(min=0)}

    def _positions_after(
        self, known: torch.Tensor, depths: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Positions of tokens at some depths after a prompt of ``known`` (rows, 1) tokens."""
        if "position_ids" not in self._takes:
            return {}
        positions = known + depths
        counting = _deltas(self._model)
        if counting is None:
            return {"position_ids": positions}
        # Time, height and width run together in text, at a distance that the pictures decide.
        positions = positions + counting.rope_deltas.to(known.device)
        return {"position_ids": positions.expand(3, -1, -1)}


class _NoBranchesError(Exception):
    """The cache can't go on into several answers."""


def score_batch(
    model: Any, processor: Any, rows: Sequence[ChatRow], answers: Mapping[str, str]
) -> tuple[Floats, Floats]:
    """Score one batch: (n, 5) log-probabilities and (n,) log-mass, as ``Scores`` says.

    For many batches keep a ``Scorer``: it compares the tree with whole forwards once.
    """
    scores = Scorer(model, processor, answers)(rows)
    return scores.log_probs, scores.log_mass


@contextmanager
def _answering(model: Any) -> Iterator[None]:
    """No gradients and no dropout, then the model as it was."""
    training = model.training
    model.eval()
    try:
        with (
            torch.no_grad()
        ):  # not inference_mode: what a model keeps of it may meet training again
            yield
    finally:
        model.train(training)


def _takes(model: Any) -> frozenset[str]:
    """Names that the model's forward knows, behind an adapter too."""
    return frozenset(inspect.signature(_bare(model).forward).parameters)


def _bare(model: Any) -> Any:
    """The model behind an adapter, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _can_branch(cache: Any, n_tokens: int) -> bool:
    """Whether so many tokens, several answers among them, keep apart in a cache by their mask."""
    return all(
        type(layer) in KEYED and getattr(layer, "sliding_window", n_tokens + 1) > n_tokens
        for layer in cache.layers
    )


def _deltas(model: Any) -> Any:
    """The module that counts positions in three directions, or None for a model that does not."""
    return next((module for module in model.modules() if hasattr(module, "rope_deltas")), None)


def _is_rough(model: Any) -> bool:
    """Whether the model computes in half precision, be it under autocast."""
    half = model.dtype not in (torch.float32, torch.float64)
    return half or torch.is_autocast_enabled(model.device.type)


def _sums(logits: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(n,) sum of the log-probabilities of ``ids`` (n, tokens) where ``mask`` is 1."""
    log_probs = logits.float().log_softmax(-1).gather(-1, ids[..., None])[..., 0]
    return (log_probs * mask).sum(-1)


def _normalised(sums: torch.Tensor) -> Scores:
    values = sums.double().cpu().numpy()
    if not np.isfinite(values).all():
        raise BuildError(
            "the model's answer is not a number; try --dtype float32, or other weights if it stays"
        )
    log_mass = np.logaddexp.reduce(values, axis=1)
    return Scores(values - log_mass[:, None], log_mass)
