"""ShareGPT: export each page as a conversation in JSON lines with a PNG file, for fine-tuning tools.

    DIR/<split>.jsonl           {"messages": [{"role", "content"}, …], "images": ["images/…"], …}
    DIR/images/<corpus>/<recording>/00012.png
    DIR/dataset_info.json       the splits as LLaMA-Factory's datasets `psgimg_<split>`

LLaMA-Factory: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md (ShareGPT with
OpenAI's roles, multimodal). ms-swift reads the same lines unchanged:
https://github.com/modelscope/ms-swift/blob/main/docs/source_en/Customization/Custom-dataset.md.
Both require one ``<image>`` in the messages per image. There is no key ``label``, which ms-swift
would interpret as a preference or class label.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.prompts import Message, Prompt
from psgimg.builder.dataset.schema import Row
from psgimg.builder.exports import readme, target
from psgimg.builder.exports.source import ALL, Source, identity, name, open_asked, png
from psgimg.builder.progress import SILENT, Progress
from psgimg.builder.stages import STAGE_NAMES

FORMAT = "sharegpt"
IMAGES = "images"
PLACEHOLDER = "<image>"
INFO = "dataset_info.json"


def write(
    folder: Path,
    out: Path,
    split: str = ALL,
    progress: Progress = SILENT,
    prompt: str = prompts.DEFAULT,
) -> None:
    """Export a finished dataset folder, one of its splits or ``all``.

    Parameters
    ----------
    prompt
        Name or YAML file of the prompt for each page.

    Raises
    ------
    BuildError
        If the dataset is incomplete, the prompt can't be read, or ``out`` can't be written or
        contains something else.
    """
    source, loaded = open_asked(folder, split, prompt)
    with target.new(source, out, FORMAT, prompt=asdict(loaded)) as draft:
        for part in source.splits:
            _write_split(source, part, loaded, draft, progress)
        text = json.dumps(_info(source), indent=1) + "\n"
        (draft / INFO).write_text(text, encoding="utf-8", newline="\n")
        readme.write(draft, source, FORMAT, out.name, prompt=loaded)


def conversation(row: Row, prompt: Prompt, image: str) -> dict[str, Any]:
    """Return one page as a question and its answer; ``image`` is the picture's path.

    Further keys identify the page, so that a prediction can be matched to its row.
    """
    answer = Message(role="assistant", content=prompt.answers[STAGE_NAMES[row["label"]]])
    return {
        "messages": [*prompt.turns(f"{PLACEHOLDER}\n{prompt.question}"), answer],
        "images": [image],
        **identity(row),
    }


def _write_split(
    source: Source, split: str, prompt: Prompt, folder: Path, progress: Progress
) -> None:
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as lines:
        for row in source.pages(split, progress):
            image = f"{IMAGES}/{name(row)}.png"
            (folder / image).parent.mkdir(parents=True, exist_ok=True)
            (folder / image).write_bytes(png(row))
            line = json.dumps(conversation(row, prompt, image), ensure_ascii=False)
            lines.write(f"{line}\n")


def _info(source: Source) -> dict[str, Any]:
    """Return LLaMA-Factory's list of datasets, one per split."""
    return {
        f"psgimg_{split}": {
            "file_name": f"{split}.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "messages", "images": "images"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
                "system_tag": "system",
            },
        }
        for split in source.splits
    }
