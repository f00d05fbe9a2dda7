"""Merge: an adapter and its base model as one model, for vLLM and other tools without adapters."""

from __future__ import annotations

import shutil
from pathlib import Path

from peft import PeftModel
from psgimg.builder import atomic_folder
from psgimg.builder.errors import BuildError
from psgimg.finetune.models import permissions, saving
from psgimg.finetune.models.loading import load_for_inference
from psgimg.finetune.training import model_card
from psgimg.finetune.training import training_report as report


def merge(
    adapter: Path, out: Path, *, trust_remote_code: bool = False, dtype: str = "auto"
) -> None:
    """Write the merged model with its processor and ``psgimg.json``, complete or not at all.

    Parameters
    ----------
    adapter
        Folder written by `psgimg sft`.
    out
        Output folder; must not exist, or be empty.
    dtype
        ``auto`` means that of the base model's weights on a GPU, and float32 on a CPU.

    Raises
    ------
    BuildError
        If there is no adapter, its base model can't be loaded, or the output can't be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BuildError(f"{out} exists already; choose another folder or remove it")
    if not adapter.is_dir():
        raise BuildError(f"{adapter} is not a folder; use one written by `psgimg sft`")
    loaded = load_for_inference(str(adapter), trust_remote_code=trust_remote_code, dtype=dtype)
    if not isinstance(loaded.model, PeftModel):
        raise BuildError(f"{adapter} holds full weights, not an adapter; use it as it is")
    if loaded.folder is None:
        raise BuildError(f"{adapter} has no psgimg.json; use a folder written by `psgimg sft`")
    model = loaded.model.merge_and_unload(safe_merge=True)
    with atomic_folder.whole(out, adapter, tuple, "merge") as part, saving.system_errors():
        model.save_pretrained(part)
        permissions.follow_folder(part)
        loaded.processor.save_pretrained(part)
        loaded.folder.save(part)
        for name in (report.FILE, report.PICTURE):
            if (adapter / name).is_file():
                shutil.copy(adapter / name, part)
        if (part / report.FILE).is_file():
            model_card.write(part, out.name)
