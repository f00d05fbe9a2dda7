"""Tests whether `psgimg explain` identifies the lanes that define the stages of the demo.

    psgimg build --source demo
    psgimg sft --dataset psg-images --model tiny
    python benchmarks/explain_demo.py --model psg-model --dataset psg-images --out docs/explained.json

The demo's stages are simulated from the tables of ``builder/corpora/synthetic/physiology.py``, so that the lanes
that distinguish each stage are known. Exits with an error if another lane has the greatest share. The report
and its pictures, two of which are in the documents, stay in ``psg-explanation``.
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

CAUSES = {
    "W": ("chin", "O2"),  # highest muscle tone; occipital alpha
    "N1": ("F4", "C4", "O2", "E1", "E2"),  # theta instead of alpha; slow eye movements
    "N2": ("F4", "C4"),  # K-complexes, spindles
    "N3": ("F4", "C4"),  # slow waves, frontally predominant
    "REM": ("chin", "E1", "E2"),  # atonia; rapid eye movements
}
"""Lanes with features unique to a stage, according to ``builder/corpora/synthetic/physiology.py``."""

WORDS = "--pages 20 --window 6"
FOLDER = Path("psg-explanation")


def main() -> None:
    """Explain the demo, and compare the lanes with the greatest share with the expected ones."""
    options = arguments()
    words = f"explain --model {options.model} --dataset {options.dataset} {WORDS} --out {FOLDER}"
    psgimg = str(Path(sys.executable).with_name("psgimg"))
    subprocess.run([psgimg, *shlex.split(words)], check=True)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = round(usage.ru_utime + usage.ru_stime)
    explanation = json.loads((FOLDER / "explanation.json").read_text(encoding="utf-8"))
    result = {"command": f"psgimg {words}", "cpu_seconds": seconds, **compared(explanation)}
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    if wrong := [stage for stage, one in result["stages"].items() if not one["as_drawn"]]:
        sys.exit(f"the lane with the greatest share is not an expected one in {', '.join(wrong)}")


def compared(explanation: dict[str, Any]) -> dict[str, Any]:
    """Return the lane with the greatest share of each stage, the expected lanes, and faithfulness."""
    return {
        "stages": {
            stage: {
                "wins": one["most"],
                "should": list(CAUSES[stage]),
                "as_drawn": one["most"] in CAUSES[stage],
                "share": {lane: value["value"] for lane, value in one["share"].items()},
            }
            for stage, one in explanation["stages"].items()
        },
        "faithfulness": explanation["faithfulness"],
    }


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="psg-model")
    parser.add_argument("--dataset", default="psg-images")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
