"""Opening: what a device needs to stage pages, loaded there; these values can be sent to its process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import predictors
from psgimg.finetune.inference.fleet import Fleet, Note
from psgimg.finetune.inference.predictors import Predictor
from psgimg.finetune.metrics.predictions import Answer

if TYPE_CHECKING:
    from psgimg.finetune.models.loading import Loaded

Task = TypeVar("Task", bound=Sequence[Any])


@dataclass(frozen=True)
class OpenModel:
    """A model to load.

    Parameters
    ----------
    source
        Folder or Hub id.
    dtype
        Precision, as in :func:`psgimg.finetune.inference.devices.dtype`.
    """

    source: str
    dtype: str = "auto"
    trust_remote_code: bool = False

    def load(self, device: str, note: Note) -> Loaded:
        """Load it on a device.

        Raises
        ------
        BuildError
            If it can't be loaded, or not in this precision.
        """
        from psgimg.finetune.inference import devices
        from psgimg.finetune.models.loading import load_for_inference

        return load_for_inference(
            self.source,
            trust_remote_code=self.trust_remote_code,
            dtype=devices.dtype(self.dtype, device, note),
            device=device,
        )

    @contextmanager
    def __call__(self, device: str, note: Note) -> Iterator[Loaded]:
        """Yield the model on a device."""
        yield self.load(device, note)


@dataclass(frozen=True)
class OpenPredictor:
    """A model that scores or generates answers.

    Parameters
    ----------
    answers
        Stage → text of its answer.
    loaders
        Number of processes that prepare pages; 0 for a thread.
    n_pages
        Number of pages for each device.
    max_new_tokens
        Maximum length of a generated answer in tokens; None to score the five answers.
    """

    model: OpenModel
    answers: Mapping[str, str]
    loaders: int
    n_pages: int
    max_new_tokens: int | None = None

    @contextmanager
    def __call__(self, device: str, note: Note) -> Iterator[Predictor]:
        """Yield the predictor on a device."""
        loaded = self.model.load(device, note)
        common = loaded.model, loaded.processor, self.answers, self.loaders, note
        if self.max_new_tokens is None:
            yield predictors.scoring(*common, self.n_pages)
        else:
            yield predictors.generating(*common, self.max_new_tokens)


@dataclass(frozen=True)
class OpenEndpoint:
    """A model on a server; see :func:`psgimg.finetune.inference.predictors.requesting`."""

    url: str
    model: str
    answers: Mapping[str, str]
    parallel: int
    max_new_tokens: int
    score: bool

    @contextmanager
    def __call__(self, device: str, note: Note) -> Iterator[Predictor]:
        """Yield the predictor; the server has its own devices."""
        del device
        with predictors.requesting(
            self.url,
            self.model,
            self.answers,
            parallel=self.parallel,
            max_new_tokens=self.max_new_tokens,
            score=self.score,
            note=note,
        ) as predictor:
            yield predictor


@dataclass(frozen=True)
class Wish:
    """What the user says of devices, batches and processes; None for what suits the machine.

    Parameters
    ----------
    device
        Names of devices, joined by commas.
    batch_size
        Pages per batch.
    loaders
        Processes that prepare pages for each device; 0 for a thread.
    """

    device: str | None
    batch_size: int | None
    loaders: int | None


@dataclass(frozen=True)
class Crew:
    """What stages pages: a model on some devices, or on a server; and the pages that it takes at a time."""

    fleet: Fleet[Predictor]
    batch_size: int


def crew(
    model: OpenModel,
    answers: Mapping[str, str],
    wish: Wish,
    n_pages: int,
    note: Note,
    max_new_tokens: int | None = None,
) -> Crew:
    """Return what stages pages by a model on the devices of this machine; nothing is loaded yet.

    Parameters
    ----------
    max_new_tokens
        Maximum length of a generated answer in tokens; None to score the five answers.

    Raises
    ------
    BuildError
        If there is no such device.
    """
    from psgimg.finetune.inference import devices

    size, names = devices.for_pages(wish.device, wish.batch_size, n_pages, note)
    loaders = devices.loaders(wish.loaders, names, n_pages)
    share = n_pages // len(names)
    opening = OpenPredictor(model, answers, loaders, share, max_new_tokens)
    return Crew(Fleet(opening, names, note), size)


@dataclass(frozen=True)
class Staging:
    """The work of a predictor on pages that ``read`` returns for each task."""

    read: Callable[[Any], list[ChatRow]]

    def __call__(self, predictor: Predictor, tasks: Sequence[Task]) -> Iterator[list[Answer]]:
        """Yield the answers to each task in order."""
        return predictor(self.read, tasks)
