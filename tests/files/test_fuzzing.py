"""No damage to a file ends a parser otherwise than by an error of psgimg; the long form is a benchmark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"


def fuzz(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FUZZ), "--out", str(out), *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_few_thousand_damaged_inputs_are_read_or_refused_in_one_line(tmp_path):
    done = fuzz(tmp_path / "failures", "--inputs", "3000", "--seed", "11")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "all, in" in done.stdout
    assert not (tmp_path / "failures").exists()


BROKEN = """
import sys
sys.path.insert(0, {folder!r})
import fuzz
from dataclasses import replace
from fuzzing import targets

def parse(path):
    content = path.read_bytes()
    if len(content) % 3 == 0:
        raise KeyError("not an error of psgimg")
    if len(content) % 5 == 0:
        import os
        os.abort()

broken = replace(targets.TARGETS["answer"], parse=parse, seeds=lambda _: [b"1234"])
targets.TARGETS = fuzz.TARGETS = fuzz.work.TARGETS = {{"answer": broken}}
sys.argv = ["fuzz.py", "--target", "answer", "--inputs", "60", "--out", {out!r}]
fuzz.main()
"""


def test_an_exception_and_a_crash_are_failures_and_their_inputs_are_kept(tmp_path):
    program = BROKEN.format(folder=str(FUZZ.parent), out=str(tmp_path / "failures"))
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "KeyError at" in done.stdout
    assert "the process ended with -6" in done.stdout
    kept = sorted((tmp_path / "failures").glob("answer-0-*/a.txt"))
    assert len(kept) == 2
    assert any(len(path.read_bytes()) % 3 == 0 for path in kept)
    number = kept[0].parent.name.rsplit("-", 1)[1]
    assert f"--target answer --seed 0 --first {number} --inputs 1" in done.stdout
