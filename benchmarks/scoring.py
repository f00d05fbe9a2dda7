"""Compares scoring the five answers with generating one, by a trained model on the same pages.

    python benchmarks/scoring.py --model psg-model --dataset psg-images --out docs/scoring.json
    python benchmarks/scoring.py --family idefics3 --style paper --out docs/scoring-idefics3.json

All ways are run in turn for several rounds on one thread. Results are CPU milliseconds per page,
including encoding and decoding of the pictures. With ``--family``, a small model of that family (one
of ``tests/support/tiny_models.py``) is created and trained for 60 steps on demo pages first, so that it
has learned how an answer ends.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

TRAINING = (
    "--use-peft false --freeze-vision false --max-steps 60 --learning-rate 1e-3 "
    "--per-device-train-batch-size 16 --eval-strategy no --save-strategy no --bf16 false "
    "--gradient-checkpointing false --dtype float32"
)

WAYS = ("score, batch", "generate, batch", "generate, page by page", "five whole forwards, batch")


def main() -> None:
    """Measure, print and write the results."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="psgimg-scoring-") as work:
        if options.family:
            options.model, options.dataset = trained(options.family, options.style, Path(work))
        measure(options)


def trained(family: str, style: str, work: Path) -> tuple[str, str]:
    """Train a small model of a family briefly on the demo; return its folder and its dataset."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
    import tiny_models
    from PIL import Image
    from psgimg.builder.dataset import prompts

    psgimg(work, f"build --source demo --style {style} --out demo")
    with Image.open(next((work / "demo" / "card").glob("*.png"))) as page:
        tiny_models.PAGE_PX = page.size
    prompt = prompts.load(prompts.DEFAULT)
    texts = (prompt.system, prompt.question, *prompt.answers.values())
    tiny_models.build(family, work / "untrained", texts=texts)
    psgimg(work, f"sft --dataset demo --model untrained --output-dir trained {TRAINING}")
    return str(work / "trained"), str(work / "demo")


def psgimg(work: Path, words: str) -> None:
    """Run a command of psgimg in a folder."""
    command = [str(Path(sys.executable).with_name("psgimg")), *shlex.split(words)]
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)


def measure(options: argparse.Namespace) -> None:
    """Run every way in turn, and print and write the medians."""
    from psgimg.finetune.data import page_set
    from psgimg.finetune.inference import generation
    from psgimg.finetune.inference.likelihood import Scorer
    from psgimg.finetune.models.loading import load_for_inference

    loaded = load_for_inference(options.model)
    assert loaded.folder is not None
    prompt, context = loaded.folder.prompt, loaded.folder.shown
    split = page_set.load(options.dataset, None, options.split)
    chosen = split.rows[: options.pages].tolist()
    scorer = Scorer(loaded.model, loaded.processor, prompt.answers)

    def batches(size: int) -> list[list[int]]:
        return [chosen[i : i + size] for i in range(0, len(chosen), size)]

    def generate(size: int) -> None:
        for some in batches(size):
            rows = split.chat_rows(some, prompt, context)
            generation.generate(loaded.model, loaded.processor, rows, 32)

    def score(way: object) -> None:
        for some in batches(options.batch):
            way(split.chat_rows(some, prompt, context))  # type: ignore[operator]

    runs = {
        WAYS[0]: lambda: score(scorer),
        WAYS[1]: lambda: generate(options.batch),
        WAYS[2]: lambda: generate(1),
        WAYS[3]: lambda: score(scorer.full),
    }
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    runs[WAYS[0]]()  # selects the scoring method and warms up
    for n in range(options.rounds):
        # Each round begins with another way, as each way leaves the allocator in another state.
        for way in (*WAYS[n % len(WAYS) :], *WAYS[: n % len(WAYS)]):
            start = time.process_time()
            runs[way]()
            times[way].append(1000 * (time.process_time() - start) / len(chosen))
    medians = {way: round(statistics.median(values), 2) for way, values in times.items()}
    result = {
        "command": "python benchmarks/scoring.py"
        + (f" --family {options.family} --style {options.style}" if options.family else ""),
        "pages": len(chosen),
        "batch": options.batch,
        "rounds": options.rounds,
        "way": scorer.way,
        "cpu_ms_a_page": medians,
        "generate_over_score": round(medians[WAYS[1]] / medians[WAYS[0]], 2),
        "page_by_page_over_score": round(medians[WAYS[2]] / medians[WAYS[0]], 2),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", help="train and use a small model of this family")
    parser.add_argument("--style", default="clinical", help="style of its training pages")
    parser.add_argument("--model", default="psg-model")
    parser.add_argument("--dataset", default="psg-images")
    parser.add_argument("--split", default="test")
    parser.add_argument("--pages", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
