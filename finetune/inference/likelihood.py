"""Likelihood: the probability of each of the five answers, including the end of the turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal

import torch
from psgimg.builder.progress import SILENT
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import encoding, one_pass
from psgimg.finetune.inference.encoding import Candidates, Encoded, Encoder
from psgimg.finetune.inference.forward import Forward, attends_to_all
from psgimg.finetune.inference.prefix_tree import Tree
from psgimg.finetune.inference.scores import Scores, normalised
from psgimg.finetune.models import compatibility, compiled
from psgimg.finetune.models.families import bare
from psgimg.finetune.models.page_positions import PagePositions
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

Way = Literal["pass", "tree", "forwards"]

KEYED = (DynamicLayer, DynamicSlidingWindowLayer)
"""Cache layers with keys and values per token, so that a mask can hide answers from each other.
Other layers, such as the running state of linear attention, mix all previous tokens."""

TOLERANCE = 0.01
ROUGH_TOLERANCE = 0.5
"""In half precision, logits near 20 are 0.125 apart; wrong positions or masks cause larger errors."""


class Scorer:
    """Scores pages with one model and one set of answers.

    The five answers are processed together, as a prefix tree: in the same forward pass as the prompt
    (``pass``), which is the fastest on a GPU, or after it, on its cache (``tree``). On the first page
    the result is compared with that of full forward passes, which are used for the whole run if both
    differ (``forwards``).

    Parameters
    ----------
    answers
        Stage → text of its answer.
    note
        Called with a line for the user if full forward passes are needed, which take four to five
        times as long.
    ways
        Ways to try, in turn; None chooses them for the model's device.
    compiles
        Whether to compile the layers of the model, if it scores in one pass.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        answers: Mapping[str, str],
        note: Callable[[str], None] = SILENT.note,
        ways: Sequence[Way] | None = None,
        *,
        compiles: bool = False,
    ) -> None:
        self._model, self._processor, self._answers = model, processor, answers
        self._forward, self._note = Forward(model), note
        self._ways = ways or (("tree",) if model.device.type == "cpu" else ("pass", "tree"))
        positions = PagePositions.of(model) if "pass" in self._ways else None
        self.encoder = Encoder(processor, model.dtype, positions)
        """Encodes pages for ``score`` in any process, after ``begin``."""
        self.compiles = compiles
        """Whether layers are compiled, or will be on the first page."""
        self._answer_tokens: Candidates | None = None
        self._probe: Encoded = {}
        self.way: Way | None = None
        """How answers are scored; None before the first page."""

    def __call__(self, rows: Sequence[ChatRow]) -> Scores:
        """Score some pages, which may differ in size and number of pictures.

        Raises
        ------
        BuildError
            If the probabilities are not finite.
        """
        return self.score(self.prepare(rows))

    def prepare(self, rows: Sequence[ChatRow]) -> Encoded:
        """Encode pages for ``score``; may run in a thread while another batch is scored."""
        self.begin(rows[0])
        return self.encoder(rows)

    def begin(self, row: ChatRow) -> None:
        """Encode the answers, as they follow any prompt such as this one; again, do nothing."""
        if self._answer_tokens is None:
            self._probe = self.encoder([row])
            self._answer_tokens = encoding.candidates(self._processor, row, self._answers)

    def choose_way(self) -> None:
        """Choose how answers are scored, on the page given to ``begin``; again, do nothing."""
        if self.way is not None:
            return
        with _evaluation_mode(self._model):
            self._use(self._choose(encoding.moved(self._probe, self._model.device)))
        self.compiles = self.compiles and self.way == "pass"
        if self.compiles:
            compiled.compile_layers(self._model)

    def score(self, encoded: Encoded) -> Scores:
        """Score pages encoded by ``prepare`` or ``encoder``; see ``__call__``."""
        self.choose_way()
        with _evaluation_mode(self._model):
            sums = self._sums_of_answers(encoding.moved(encoded, self._model.device))
        return normalised(sums.double().cpu().numpy())

    def full(self, rows: Sequence[ChatRow]) -> Scores:
        """Score by five full forward passes with the pictures: slow, the reference implementation."""
        encoded = encoding.moved(self.prepare(rows), self._model.device)
        with _evaluation_mode(self._model):
            sums = self._by("forwards", encoded)
        return normalised(sums.double().cpu().numpy())

    def _choose(self, encoded: Encoded) -> Way:
        """Choose the first way that agrees with full forward passes on a page."""
        reference = self._by("forwards", encoded)
        tolerance = ROUGH_TOLERANCE if _is_half_precision(self._model) else TOLERANCE
        for way in self._ways:
            try:
                difference = float((self._by(way, encoded) - reference).abs().max())
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
                continue  # families whose forward is incompatible
            if difference <= tolerance:
                return way
        return "forwards"

    def _use(self, way: Way) -> None:
        """Score this way from now on, with a note if it is the slow one."""
        self.way = way
        if way == "forwards":
            self._note(
                f"{type(bare(self._model)).__name__} can't score all answers on one cached "
                "prompt: each page takes five full forward passes, four to five times as long"
            )

    def _sums_of_answers(self, encoded: Encoded) -> torch.Tensor:
        """Return (n, 5) sums of log-probabilities, computed the chosen way."""
        assert self.way is not None
        try:
            return self._by(self.way, encoded)
        except _NoBranchesError:  # prompts longer than the first one
            self._use("forwards")
        except compiled.FAILURES as error:
            if not self.compiles:
                raise
            self.compiles = False
            compiled.undo(self._model)
            reason = " ".join(str(error).split())[:200]
            self._note(
                f"layers can't be compiled here ({reason}); scoring goes on without, more slowly"
            )
        return self._by(self.way, encoded)

    def _by(self, way: Way, encoded: Encoded) -> torch.Tensor:
        if way != "pass":
            encoded = _without_positions(encoded)
        if way == "forwards":
            return self._by_forwards(encoded)
        tree = self._tree
        if way == "tree":
            return self._by_tree(encoded, tree)
        n_tokens = encoded["input_ids"].shape[1] + len(tree.tokens) + one_pass.ALIGNED
        if not attends_to_all(self._model, n_tokens):
            raise _NoBranchesError
        return one_pass.sums(self._model, self._forward, encoded, tree)

    def _by_tree(self, encoded: Encoded, tree: Tree) -> torch.Tensor:
        """Return (n, 5) sums of log-probabilities by a forward pass of the prompts and one of the tree."""
        mask = encoded["attention_mask"]
        out = self._model(
            **encoded, **self._forward.positions(mask), **self._forward.keep(1), use_cache=True
        )
        cache = compatibility.cache_of(out)
        if not _can_branch(cache, mask.shape[1] + len(tree.tokens)):
            raise _NoBranchesError
        n_prompt = mask.sum(-1, keepdim=True)
        tokens = torch.tensor(tree.tokens, device=mask.device).expand(len(mask), -1)
        depths = torch.tensor(tree.depths, device=mask.device)
        after = self._model(
            input_ids=tokens,
            attention_mask=tree.mask(mask, out.logits.dtype),
            use_cache=True,
            **compatibility.cache_argument(cache, self._forward.parameters),
            **self._forward.positions_after(n_prompt, depths),
        ).logits
        return tree.sums(out.logits[:, -1], after)

    def _by_forwards(self, encoded: Encoded) -> torch.Tensor:
        """Return (n, 5) sums of log-probabilities by a forward pass of the prompts for each answer."""
        answers = self._candidates(encoded["input_ids"].device)
        sums = []
        for padded, mask in zip(answers.ids, answers.mask, strict=True):
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
                **self._forward.positions(whole["attention_mask"]),
                **self._forward.keep(n_tokens + 1),
                use_cache=False,
            ).logits[:, -n_tokens - 1 : -1]
            sums.append(_sums(logits, after["input_ids"], after["attention_mask"]))
        return torch.stack(sums, dim=1)

    @cached_property
    def _tree(self) -> Tree:
        return Tree.of(self._candidates(torch.device("cpu")))

    def _candidates(self, device: torch.device) -> Candidates:
        assert self._answer_tokens is not None
        tokens = self._answer_tokens
        return Candidates(tokens.ids.to(device), tokens.mask.to(device))


class _NoBranchesError(Exception):
    """The cache can't be continued with several answers."""


@contextmanager
def _evaluation_mode(model: Any) -> Iterator[None]:
    """Disable gradients and dropout, and restore the mode of the model afterwards."""
    training = model.training
    model.eval()
    try:
        # Not inference_mode: tensors that a model caches may be used in training again.
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _without_positions(encoded: Encoded) -> Encoded:
    """Return pages whose positions the model derives by itself."""
    return {k: v for k, v in PagePositions.without(encoded).items() if k != encoding.OFFSETS}


def _can_branch(cache: Any, n_tokens: int) -> bool:
    """Return whether a mask can separate several answers in a cache of ``n_tokens``."""
    return all(
        type(layer) in KEYED and getattr(layer, "sliding_window", n_tokens + 1) > n_tokens
        for layer in cache.layers
    )


def _is_half_precision(model: Any) -> bool:
    """Return whether the model computes in half precision, autocast included."""
    half = model.dtype not in (torch.float32, torch.float64)
    return half or torch.is_autocast_enabled(model.device.type)


def _sums(logits: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return (n,) sums of the log-probabilities of ``ids`` (n, tokens) where ``mask`` is 1."""
    log_probs = logits.float().log_softmax(-1).gather(-1, ids[..., None])[..., 0]
    return (log_probs * mask).sum(-1)
