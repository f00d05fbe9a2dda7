"""Config: what an explanation is told, in one frozen value."""

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
    """What `psgimg explain` is told.

    Parameters
    ----------
    model, dataset
        Folder or Hub id.
    corpus, revision
        Of the dataset: a corpus, and a commit on the Hub.
    pages
        How many, spread evenly over stages and recordings.
    method
        ``occlusion`` of cells, ablation of ``patches``, or integrated ``gradients``.
    fill
        What a part is replaced by: the same place of ``pages`` of other stages, or ``blank`` ground.
    window
        Length of a cell in seconds.
    seed
        Of the choice of pages and of the random control.
    any_recipe
        Show the model pages that are drawn otherwise than those it learned from.
    """

    model: str
    dataset: str
    out: Path = Path("psg-explanation")
    split: str = "test"
    corpus: str | None = None
    revision: str | None = None
    pages: int = 50
    method: str = "occlusion"
    fill: str = "pages"
    window: float = 3.0
    seed: int = 0
    batch_size: int = 16
    dtype: str = "auto"
    trust_remote_code: bool = False
    any_recipe: bool = False

    def __post_init__(self) -> None:
        cells.check_window(self.window)
        for name, known in (("method", METHODS), ("fill", FILLS)):
            if (value := getattr(self, name)) not in known:
                raise BuildError(f"{flag(name)} {value!r}: use {', '.join(known)}")
        for name in ("pages", "batch_size"):
            if getattr(self, name) < 1:
                raise BuildError(f"{flag(name)} {getattr(self, name)}: give 1 or more")
        if self.seed < 0:
            raise BuildError(f"--seed {self.seed}: give 0 or more")
