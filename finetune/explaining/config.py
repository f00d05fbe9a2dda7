"""Config: the options of `psgimg explain` as one validated, frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.command_options import flag
from psgimg.builder.errors import BuildError
from psgimg.finetune.explaining import cells
from psgimg.finetune.explaining.replacement import FILLS

METHODS = ("occlusion", "patches", "gradients")


@dataclass(frozen=True)
class ExplainConfig:
    """Options of `psgimg explain`.

    Parameters
    ----------
    model, dataset
        Folder or Hub id.
    out
        Output folder.
    split
        Split of the dataset whose pages are explained.
    fold
        Fold of a cross-validation, of which ``split`` is a part.
    corpus, revision
        Corpus of the dataset, and its commit on the Hub.
    pages
        Number of pages, spread evenly over stages and recordings.
    method
        ``occlusion`` of cells, ablation of ``patches``, or integrated ``gradients``.
    fill
        Replacement of a part of a page: the same region of ``pages`` of other stages, or ``blank``
        background.
    window
        Length of a cell in seconds.
    seed
        Seed of the selection of pages and of the random control.
    batch_size
        Number of pictures per forward pass; None chooses it for the device.
    device
        As in :class:`psgimg.finetune.inference.predict_config.PredictConfig`.
    dtype
        Floating-point type of the model's weights.
    trust_remote_code
        Whether to run code that comes with the model.
    any_recipe
        Whether to allow pages drawn by another recipe than the model's training pages.
    any_lanes
        Whether to allow pages with lanes absent as on none of the model's training pages.
    """

    model: str
    dataset: str
    out: Path = Path("psg-explanation")
    split: str = "test"
    fold: int | None = None
    corpus: str | None = None
    revision: str | None = None
    pages: int = 50
    method: str = "occlusion"
    fill: str = "pages"
    window: float = 3.0
    seed: int = 0
    batch_size: int | None = None
    device: str | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    any_recipe: bool = False
    any_lanes: bool = False

    def __post_init__(self) -> None:
        cells.check_window(self.window)
        for name, known in (("method", METHODS), ("fill", FILLS)):
            if (value := getattr(self, name)) not in known:
                raise BuildError(f"{flag(name)} {value!r}: use {', '.join(known)}")
        for name in ("pages", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BuildError(f"{flag(name)} {value}: must be at least 1")
        if self.seed < 0:
            raise BuildError(f"--seed {self.seed}: give 0 or more")
