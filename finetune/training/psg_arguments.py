"""Options: what is particular to learning from pages, beside TRL's own options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from psgimg.builder.dataset import prompts
from psgimg.finetune.models.manifest import TINY


@dataclass
class PsgArguments:
    """What is particular to learning from pages."""

    _argument_group_name: ClassVar[str] = "psgimg"

    dataset: str = field(
        default="", metadata={"help": "Folder that `psgimg build` wrote, or id on the Hub."}
    )
    corpus: str | None = field(
        default=None, metadata={"help": "A corpus of the dataset. All of them if left out."}
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "Commit, branch or tag of a dataset on the Hub."}
    )
    model: str = field(
        default="",
        metadata={"help": "Folder, id on the Hub, or `tiny`: a small model made on the spot."},
    )
    prompt: str = field(
        default=prompts.DEFAULT, metadata={"help": "Name of a prompt, or a YAML file."}
    )
    context: int = field(
        default=0, metadata={"help": "Pages shown before and after the one asked for."}
    )
    sampling: Literal["natural", "balanced", "sqrt"] = field(
        default="natural",
        metadata={"help": "How often a training pass shows each stage."},
    )
    train_subjects: int | None = field(
        default=None, metadata={"help": "Learn from so many subjects only."}
    )
    max_epochs_per_recording: int | None = field(
        default=None, metadata={"help": "Learn from so many epochs of a recording at most."}
    )
    validation_pages: int = field(
        default=500, metadata={"help": "Pages of the validation split scored during training."}
    )
    freeze_vision: bool = field(default=True, metadata={"help": "Leave the vision tower alone."})
    max_pixels: int | None = field(
        default=None, metadata={"help": "Scale larger pages down, where the family can (Qwen)."}
    )
    augment: Literal["none", "flip", "shift", "flip,shift"] = field(
        default="none",
        metadata={"help": "Show pages mirrored in time, shifted around in time, or both."},
    )

    @property
    def is_tiny(self) -> bool:
        """Whether the model is to be made on the spot."""
        return self.model == TINY
