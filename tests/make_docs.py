"""Write what documents say of the code: ``python -P tests/make_docs.py``; with ``--check`` it only compares.

``docs/commands.md`` is the command line's own help, ``docs/modules.md`` the first sentence of each
module, ``docs/speed.md`` what ``docs/benchmarks.json``,
``workers.json`` and ``scale.json`` say, and the table of intervals in
``docs/evaluation.md`` what ``docs/intervals.json`` says.
"""

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from psgimg.builder.cli import command_line

cli = command_line()

ROOT = Path(__file__).resolve().parents[1]
COMMANDS_MD = ROOT / "docs" / "commands.md"
MODULES_MD = ROOT / "docs" / "modules.md"
SPEED_MD = ROOT / "docs" / "speed.md"
BENCHMARKS = ROOT / "docs" / "benchmarks.json"
EVALUATION_MD = ROOT / "docs" / "evaluation.md"
INTERVALS = ROOT / "docs" / "intervals.json"
TABLE = re.compile(r"(?<=<!-- intervals -->\n).*(?=<!-- end of intervals -->)", re.DOTALL)
SCALE = ROOT / "docs" / "scale.json"
SPEED = re.compile(r"(?<=<!-- speed -->\n).*(?=<!-- end of speed -->)", re.DOTALL)
SIZES = re.compile(r"(?<=<!-- scale -->\n).*(?=<!-- end of scale -->)", re.DOTALL)
WORKERS = ROOT / "docs" / "workers.json"
SHARED = re.compile(r"(?<=<!-- workers -->\n).*(?=<!-- end of workers -->)", re.DOTALL)
COSTS = re.compile(r"(?<=<!-- costs -->\n).*(?=<!-- end of costs -->)", re.DOTALL)

FEW_WITHOUT = 0.9
"""Where more studies than this have no interval, those that have one are too few to judge."""

MAIN = {
    "builder": ("build", "night", "check", "preview", "rebuild", "unscored_night", "drawing"),
    "finetune": ("sft", "predict", "merge"),
}
"""The main paths, first in the table of their folder; so is a module named as its folder's job."""


def commands_md() -> str:
    """The help of every command, as it is printed."""
    parts = ["# Commands\n\nWritten by `python tests/make_docs.py`; a test compares.\n"]
    for words in ([], *([name] for name in cli.commands)):
        shown = CliRunner().invoke(cli, [*words, "--help"], prog_name="psgimg", terminal_width=100)
        title = " ".join(["psgimg", *words])
        parts.append(f"\n## {title}\n\n```console\n$ {title} --help\n{shown.output}```\n")
    return "".join(parts)


def modules_md() -> str:
    """A table of the modules of each package, the main paths first."""
    parts = [
        "# Modules\n\nWritten by `python tests/make_docs.py` from the first sentence of each; a test "
        "compares. Dependencies run one way, and `.ci/imports` holds them to it.\n"
    ]
    for top, main in MAIN.items():
        for package in sorted({path.parent for path in (ROOT / top).rglob("*.py")}):
            found = (path for path in package.glob("*.py") if path.name != "__init__.py")
            ordered = sorted(found, key=lambda path: _place(path, main))
            title = package.relative_to(ROOT).as_posix()
            lines = [f"| `{path.name}` | {_first_sentence(path)} |\n" for path in ordered]
            what = _first_sentence(package / "__init__.py")
            parts.append(f"\n## {title}\n\n{what}\n\n| | |\n|:--|:--|\n" + "".join(lines))
    return "".join(parts)


def speed_md(text: str) -> str:
    """The page of speed with its tables as they should be."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import scale
    import workers

    drawn = json.loads(BENCHMARKS.read_text(encoding="utf-8"))
    found = json.loads(SCALE.read_text(encoding="utf-8"))
    text = SPEED.sub(lambda _: speed(drawn), text)
    shared = workers.table(json.loads(WORKERS.read_text(encoding="utf-8")))
    text = SHARED.sub(lambda _: shared, text)
    text = SIZES.sub(lambda _: scale.sizes_table(found), text)
    return COSTS.sub(lambda _: scale.costs_table(found, drawn), text)


def speed(found: dict[str, Any]) -> str:
    """A table of the benchmark's figures, each beside its naive twin of the same run."""
    lines = ["| | psgimg | naive matplotlib | ratio |", "|:--|--:|--:|--:|"]
    for style in ("clinical", "paper", "sleepvlm"):
        page = found["page"][style]
        ours, naive = page["psgimg_ms"]["median"], page["naive_ms"]["median"]
        size = "×".join(str(px) for px in page["size_px"])
        lines.append(
            f"| a page of `{style}`, {size} px, drawn and encoded | {ours:.2f} ms, "
            f"{page['png_kb']:.0f} kB | {naive:.0f} ms | {page['ratio_of_medians']:.0f}× |"
        )
    night, memory, workers = found["night"], found["memory"], found["workers"]
    for words, key in (
        ("a night of 8 h, EDF to Parquet, one worker", "edf_to_parquet"),
        ("the same as a whole command, with imports, shards and card", "whole_command"),
    ):
        part = night[key]
        lines.append(
            f"| {words} | {part['psgimg_seconds']:.1f} s | "
            f"{part['naive_seconds_extrapolated']:.0f} s | {part['ratio']:.0f}× |"
        )
    whole_s, naive_s = (
        night["whole_command"]["psgimg_seconds"],
        night["edf_to_parquet"]["naive_seconds_extrapolated"],
    )
    more_s = (workers["one_worker"]["seconds"] - whole_s) / (workers["nights"] - 1)
    lines += [
        f"| a night more in a run of {workers['nights']}, one worker | {more_s:.1f} s | "
        f"{naive_s:.0f} s | {naive_s / more_s:.0f}× |",
        f"| a command beside its nights: imports, shards, card | {whole_s - more_s:.1f} s | | |",
    ]
    nights = next(key for key in memory if key.endswith("_nights_peak_mb"))
    n_nights = nights.partition("_")[0]
    lines += [
        f"| peak memory, one night / {n_nights} nights | {memory['1_night_peak_mb']:.0f} / "
        f"{memory[nights]:.0f} MB | {memory['naive_1_night_peak_mb']:.0f} MB | |",
    ]
    machine = found["machine"]
    return (
        "\n".join(lines)
        + f"\n\nMedians of one run of `python benchmarks/run.py` on {machine['cpus']} cores of "
        f"{machine['system']} ([all figures](benchmarks.json)); the ratios travel, the "
        "milliseconds do not. The naive night is extrapolated from "
        f"{night['naive']['pages_drawn']} pages.\n"
    )


def intervals_md(text: str) -> str:
    """The page of evaluation with its table of simulated intervals as it should be."""
    found = json.loads(INTERVALS.read_text(encoding="utf-8"))
    return TABLE.sub(lambda _: "\n".join(_coverage(found)) + "\n", text)


def _coverage(found: dict[str, Any]) -> list[str]:
    """Mean and lowest coverage in percent of every method, over populations and metrics."""
    rows: dict[tuple[str, str], list[dict[str, list[float | None]]]] = {}
    for key, row in found["results"].items():
        _, _, kind, method = key.split(" | ")
        rows.setdefault((kind, method), []).append(row)
    heads = " | ".join(map(str, found["subjects"]))
    lines = [f"| subjects | {heads} |", "|:--|" + "--:|" * len(found["subjects"])]
    for (kind, method), some in sorted(rows.items(), key=lambda item: item[0][0] == "pair"):
        cells = []
        for i in range(len(found["subjects"])):
            known = [
                (row["coverage"][i], 1 - row["none"][i])
                for row in some
                if i < len(row["none"]) and row["none"][i] < FEW_WITHOUT
            ]
            mean = sum(c * n for c, n in known) / sum(n for _, n in known) if known else 0
            lowest = min((c for c, _ in known), default=0)
            cells.append(f"{100 * mean:.0f} ({100 * lowest:.0f})" if known else "–")
        name = f"**{method}**" if method == "as printed" else method
        lines.append(f"| {kind}: {name} | {' | '.join(cells)} |")
    return lines


def _place(path: Path, main: tuple[str, ...]) -> tuple[int, str]:
    return (main.index(path.stem) if path.stem in main else len(main), path.stem)


def _first_sentence(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(doc.split("\n\n")[0].split()).replace("``", "`")


def written() -> dict[Path, str]:
    """Every page that this script writes, as it should be."""
    speed_now = speed_md(SPEED_MD.read_text(encoding="utf-8"))
    intervals_now = intervals_md(EVALUATION_MD.read_text(encoding="utf-8"))
    return {
        COMMANDS_MD: commands_md(),
        MODULES_MD: modules_md(),
        SPEED_MD: speed_now,
        EVALUATION_MD: intervals_now,
    }


def main(check: bool) -> None:
    """Write the pages; or only compare them, and exit with the names of those that differ."""
    pages = written()
    stale = [path for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    if check and stale:
        names = ", ".join(path.relative_to(ROOT).as_posix() for path in stale)
        sys.exit(f"stale: {names}; run python -P tests/make_docs.py")
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")


if __name__ == "__main__":
    main(check="--check" in sys.argv[1:])
