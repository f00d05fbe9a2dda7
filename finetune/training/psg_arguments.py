"""psgimg's own options of `psgimg sft`, in addition to those of TRL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from psgimg.builder.dataset import prompts
from psgimg.finetune.data.context import WHOLE, Context
from psgimg.finetune.models.manifest import TINY


@dataclass
class PsgArguments:
    """Options of fine-tuning on pages that TRL does not have."""

    _argument_group_name: ClassVar[str] = "psgimg"

    dataset: str = field(
        default="", metadata={"help": "Folder that `psgimg build` wrote, or id on the Hub."}
    )
    corpus: str | None = field(
        default=None, metadata={"help": "Use one corpus of the dataset only."}
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a dataset on the Hub."}
    )
    fold: int | None = field(
        default=None,
        metadata={
            "help": "Train for fold K of folds.csv: fold K is for testing, the next for validation."
        },
    )
    model: str = field(
        default="",
        metadata={"help": "Folder, id on the Hub, or `tiny`: a small model created from scratch."},
    )
    prompt: str = field(
        default=prompts.DEFAULT, metadata={"help": "Name of a prompt, or a YAML file."}
    )
    context: int = field(
        default=0,
        metadata={"help": "Neighbouring pages shown on either side of the page to stage."},
    )
    context_scale: float = field(
        default=WHOLE,
        metadata={
            "help": "Width of neighbours: below 1, they are narrowed and stand beside the page in one picture."
        },
    )
    context_mixed: bool = field(
        default=False,
        metadata={"help": "Show half of the training pages with fewer neighbours, as at edges."},
    )
    sampling: Literal["natural", "balanced", "sqrt"] = field(
        default="natural",
        metadata={"help": "Balance of the stages in a training pass."},
    )
    train_subjects: int | None = field(
        default=None, metadata={"help": "Number of training subjects."}
    )
    max_epochs_per_recording: int | None = field(
        default=None, metadata={"help": "Maximum training pages per recording."}
    )
    validation_pages: int = field(
        default=500, metadata={"help": "Validation pages scored at each evaluation."}
    )
    freeze_vision: bool = field(default=True, metadata={"help": "Freeze the vision tower."})
    max_pixels: int | None = field(
        default=None,
        metadata={"help": "Maximum pixels per page; larger pages are scaled down (Qwen, GLM-4V)."},
    )
    augment: str = field(
        default="none",
        metadata={
            "help": "Mirror pages in time (flip), shift them cyclically in time (shift), leave lanes out "
            "(lanes): one or more, joined by commas."
        },
    )
    variants: bool = field(
        default=True,
        metadata={"help": "Draw among each page and its variants, if the dataset has some."},
    )
    soft_labels: bool = field(
        default=False,
        metadata={"help": "Learn the shares of all scorers of a page in place of its label."},
    )
    dry_run: bool = field(
        default=False,
        metadata={"help": "Estimate memory and time, and train nothing."},
    )
    left_open: tuple[str, ...] = field(
        init=False,
        default=(),
        metadata={"help": "Options of TRL that the card or the length of the run decides."},
    )

    @property
    def shown(self) -> Context:
        """The neighbours that a page is shown with."""
        return Context(self.context, self.context_scale)

    @property
    def is_tiny(self) -> bool:
        """Whether the model is created from scratch."""
        return self.model == TINY
