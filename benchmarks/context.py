"""What neighbours cost and bring: whole ones, and narrowed ones beside the page.

    python benchmarks/context.py --root physionet-sleep-data --dataset varied --out docs/results.json

ROOT has SC4001 of Sleep-EDF. Three parts: image tokens and operations of published models; boosted
trees on what the pictures of SC4001 show, with blocks of time held out; and the time that the tiny model
takes to learn from a page. What neighbours bring with people held out is measured by ``levers.py``. Steps
finished in `--work DIR` are not repeated. The page beside the JSON is written anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
import transformers
from on_gpu import models
from on_gpu.measurement import PROMPT, TEXTS
from PIL import Image
from psgimg.builder import atomic_file
from psgimg.finetune.data import page_set
from psgimg.finetune.data.chat import chat_row
from psgimg.finetune.data.context import Context
from psgimg.finetune.metrics import metrics
from psgimg.finetune.metrics.predictions import Predictions
from psgimg.finetune.models import families
from psgimg.finetune.training.cost import Cost
from real_night import cut_folds, write
from real_nights import picture_trees
from real_nights.page_ink import Ink
from real_nights.picture_trees import Way
from real_nights.steps import SEED, Values, figures, machine, parser, psgimg, work_folder
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

PAGE_PX = (896, 448)
SHAPES = ("qwen3-vl-2b", "smolvlm2-2b", "llava-next-7b")
"""A family with as many tokens as a picture has pixels, and two that cut it into tiles."""

COSTS = {
    "none": Context(),
    "1 whole": Context(1),
    "1 narrowed to 0.25": Context(1, 0.25),
    "2 whole": Context(2),
    "2 narrowed to 0.25": Context(2, 0.25),
}
HALVED = "1 halved in both directions, a picture of its own"
"""A way that psgimg does not have: pictures of their own cost a whole page where tiles are cut."""

TREES = {
    "none": Context(),
    "1 whole": Context(1),
    "1 narrowed to 0.25": Context(1, 0.25),
    "2 narrowed to 0.25": Context(2, 0.25),
}

SFT = "sft --model tiny --augment none --eval-strategy no --save-strategy no"
STEPS, PAGES_A_STEP = (4, 24), 16
"""Steps of two trainings of the tiny model, whose difference tells what a page costs."""

SPEED = {
    "none": "",
    "1 whole": "--context 1",
    "1 narrowed to 0.25": "--context 1 --context-scale 0.25",
}

SHOWN = ("varied-02", 44)
"""Recording and epoch of the page that is shown in the documents."""


def main() -> None:
    """Run all parts and write the results."""
    asked = parser(__doc__)
    asked.add_argument("--root", type=Path, required=True, help="folder with SC4001 of Sleep-EDF")
    asked.add_argument("--dataset", type=Path, required=True, help="the varied demo, as built")
    options = asked.parse_args()
    with work_folder(options.work) as work:
        found = {
            "costs": {name: cost(name) for name in SHAPES},
            "night": night(work, options.root),
            "speed": speed(work, options.dataset.resolve()),
            "machine": machine(options.note),
        }
        write(options.out, {"context": found})
        picture(options.dataset, options.out.parent / "images" / "context.png")


def cost(name: str) -> dict[str, Values]:
    """Return image tokens and operations of a row of a published shape, for each way."""
    shape = models.SHAPES[name]
    _, config, processor = models.FAMILIES[shape.family](shape, TEXTS)
    with torch.device("meta"):
        model = transformers.AutoModelForImageTextToText.from_config(config)
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    targets = families.lora_targets(model, vision=False)
    page, half = Image.new("RGB", PAGE_PX), Image.new("RGB", (PAGE_PX[0] // 2, PAGE_PX[1] // 2))
    shown = {way: ([page] * (2 * one.pages + 1), one) for way, one in COSTS.items()}
    shown[HALVED] = ([half, page, half], Context(1))
    found = {}
    for way, (pages, context) in shown.items():
        batch = collate([chat_row(pages, "REM", PROMPT, context.pages, context)])
        row = Cost.of(model, batch, targets=targets, rank=16)
        found[way] = {
            "image_tokens": families.n_image_tokens(model, processor, batch["input_ids"]),
            "tokens": row.n_tokens,
            "tflop": round(row.flops(checkpointing=False) / 1e12, 2),
        }
    return found


def picture(dataset: Path, path: Path) -> None:
    """Write a page of the varied demo as it is shown with one neighbour before it and two after it."""
    pages = page_set.load(str(dataset), None, "test")
    recording, epoch = SHOWN
    row = next(row for row in pages.rows.tolist() if pages.page(row)[2:4] == (recording, epoch))
    [shown] = Context(2, 0.25).pictures(pages.images(range(row - 1, row + 3)), 1)
    with atomic_file.whole(path) as temporary:
        shown.quantize(32).save(temporary, "PNG", optimize=True)


def night(work: Path, root: Path) -> Values:
    """Return the figures of trees on the pictures of blocks of time held out in a real night."""
    parts: dict[str, list[Predictions]] = {way: [] for way in TREES}
    for folder in cut_folds(work, root):
        train, test = (
            Ink.of(
                page_set.load(str(folder), None, split),
                (1.0, 0.25),
                work / f"ink-{folder.name}-{split}.npz",
            )
            for split in ("train", "test")
        )
        for name, context in TREES.items():
            way = Way(context)
            trees = picture_trees.learn(train, way, SEED)
            parts[name].append(picture_trees.predict(trees, test, way))
    return {
        name: figures(sum(metrics.confusion(one.labels, one.predictions) for one in own))
        for name, own in parts.items()
    }


def speed(work: Path, dataset: Path) -> dict[str, float]:
    """Return CPU seconds of the tiny model's training per page, start and end left out."""
    found = {}
    for way, options in SPEED.items():
        seconds = []
        for n in STEPS:
            out = f"speed-{re.sub('[^a-z0-9]+', '-', way)}-{n}"
            words = f"{SFT} --dataset {dataset} {options} --dataloader-num-workers 0 --max-steps {n} --output-dir {out}"
            seconds.append(psgimg(work, words)["cpu_seconds"])
        n_pages = (STEPS[1] - STEPS[0]) * PAGES_A_STEP
        found[way] = round((seconds[1] - seconds[0]) / n_pages, 4)
    return found


if __name__ == "__main__":
    main()
