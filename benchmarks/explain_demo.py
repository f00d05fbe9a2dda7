"""Whether `psgimg explain` names the lanes that make the demo's stages what they are.

    psgimg build --source demo
    psgimg sft --dataset psg-images --model tiny
    python benchmarks/explain_demo.py --model psg-model --dataset psg-images --out docs/explained.json

The demo's stages are drawn from the tables of ``builder/corpora/physiology.py``, so that for each it is
known which lanes tell it from the others. Ends with an error if another lane wins.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CAUSES = {
    "W": ("chin", "O2"),  # the highest tone; alpha behind
    "N1": ("F4", "C4", "O2", "E1", "E2"),  # theta for alpha; eyes that roll
    "N2": ("F4", "C4"),  # K-complexes, spindles
    "N3": ("F4", "C4"),  # slow waves, the strongest in front
    "REM": ("chin", "E1", "E2"),  # no tone; rapid eyes
}
"""Lanes that show what no other stage has, as ``builder/corpora/physiology.py`` draws it."""

WORDS = "--pages 20 --window 6"


def main() -> None:
    """Explain the demo, and compare who wins with who should."""
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="psgimg-explain-") as work:
        out = Path(work) / "explanation"
        begun = time.perf_counter()
        words = f"explain --model {asked.model} --dataset {asked.dataset} {WORDS}"
        psgimg = str(Path(sys.executable).with_name("psgimg"))
        subprocess.run([psgimg, *shlex.split(words), "--out", str(out)], check=True)
        found = json.loads((out / "explanation.json").read_text(encoding="utf-8"))
        seconds = round(time.perf_counter() - begun)
    result = {"command": f"psgimg explain {WORDS}", "seconds": seconds, **told(found)}
    text = json.dumps(result, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")
    if wrong := [stage for stage, one in result["stages"].items() if not one["as_drawn"]]:
        sys.exit(f"another lane wins in {', '.join(wrong)}")


def told(found: dict[str, Any]) -> dict[str, Any]:
    """Who wins in each stage, who should, and whether it can be believed."""
    return {
        "stages": {
            stage: {
                "wins": one["most"],
                "should": list(CAUSES[stage]),
                "as_drawn": one["most"] in CAUSES[stage],
                "share": {lane: value["value"] for lane, value in one["share"].items()},
            }
            for stage, one in found["stages"].items()
        },
        "faithfulness": found["faithfulness"],
    }


def arguments() -> argparse.Namespace:
    """What the script is told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="psg-model")
    parser.add_argument("--dataset", default="psg-images")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
