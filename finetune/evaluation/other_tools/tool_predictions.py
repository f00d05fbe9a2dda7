"""Tool predictions: files of another tool joined with scored epochs, as one table of predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import counted
from psgimg.finetune.evaluation.other_tools import scored_epochs, usleep_files
from psgimg.finetune.evaluation.other_tools.scored_epochs import Scored
from psgimg.finetune.evaluation.other_tools.staged import Staged
from psgimg.finetune.evaluation.other_tools.tools import TOOLS, Tool
from psgimg.finetune.evaluation.stage_words import Codes
from psgimg.finetune.metrics import disclosure
from psgimg.finetune.metrics.metrics import N_STAGES, NO_ANSWER
from psgimg.finetune.metrics.predictions import PROBABILITIES

Rows = npt.NDArray[np.int64]

N_LISTED = 3
"""Names of no recording that a note lists."""


@dataclass(frozen=True, eq=False)
class ToolPredictions:
    """Another tool's predictions of scored epochs.

    Parameters
    ----------
    table
        Predictions of the recordings that have a file, with the columns of the scored epochs.
    source
        Contents of the JSON file beside them.
    notes
        What a reader should know, one line each.
    """

    table: pa.Table
    source: dict[str, Any]
    notes: tuple[str, ...]


def read(name: str, paths: Sequence[Path], labels: str, codes: Codes) -> ToolPredictions:
    """Read what a tool wrote of some recordings, and join it with their scored epochs.

    A file, or a recording in it, belongs to the recording with whose name its own begins:
    ``SC4001_PRED.npy`` and ``SC4001E0-PSG.json`` to SC4001, but not ``SC40012.npy``. Where letters
    follow, a note says so. An epoch that the tool has
    not staged has no prediction; a recording without a file is left out.

    Parameters
    ----------
    name
        A key of ``TOOLS``.
    paths
        Files, and folders of files.
    labels
        As for :func:`psgimg.finetune.evaluation.other_tools.scored_epochs.read`.

    Raises
    ------
    BuildError
        If a file or the scored epochs can't be read, no name fits a recording, two files fit one, or
        the file's own scored stages are not those of the recording.
    """
    tool = TOOLS[name]
    scored = scored_epochs.read(labels, codes)
    recordings = _recordings(scored)
    files: dict[str, Staged] = {}
    others: list[str] = []
    for staged, recording in _named(tool, paths, recordings, others):
        if recording in files:
            raise BuildError(
                f"{files[recording].path} and {staged.path} are both of {recording}; give one of them"
            )
        files[recording] = staged
    if not files:
        raise BuildError(
            f"{paths[0]}: no file is named after a recording of --labels {labels} (found: "
            f"{', '.join(others[:N_LISTED]) or 'no file'}); name it after one, such as {min(recordings)}"
        )
    joined = _joined(scored, recordings, files)
    counts = {
        "missing": joined["prediction"].null_count,
        "left_out": len(recordings) - len(files),
        "shifted": sum(int(scored.shifted[recordings[one]].sum()) for one in files),
    }
    longer = [
        f"{staged.name} as {one}" for one, staged in files.items() if _has_letters(staged, one)
    ]
    lines = _notes(tool.title, others, longer, **counts)
    return ToolPredictions(joined, _source(name, joined, scored, labels), lines)


def _recordings(scored: Scored) -> dict[str, Rows]:
    """Return the rows of each recording, in order of time."""
    encoded = pc.dictionary_encode(scored.table["recording"]).combine_chunks()
    codes = encoded.indices.to_numpy()
    order = np.lexsort((scored.place, codes))
    names = encoded.dictionary.to_pylist()
    edges = np.searchsorted(codes[order], np.arange(1, len(names)))
    return dict(zip(names, np.split(order, edges), strict=True))


def _named(
    tool: Tool, paths: Sequence[Path], recordings: Mapping[str, Rows], others: list[str]
) -> Iterator[tuple[Staged, str]]:
    """Yield what a tool wrote with its recording; names of no recording are added to ``others``."""
    for path in _files(tool, paths):
        if not tool.names_inside and _recording(path.stem, recordings) is None:
            others.append(path.name)
            continue
        for staged in tool.read(path):
            recording = _recording(staged.name, recordings)
            if recording is None:
                others.append(staged.name)
            else:
                yield staged, recording


def _files(tool: Tool, paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files of a tool, those in a folder by name."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.iterdir()):
            if file.suffix in tool.suffixes and not file.stem.endswith(usleep_files.SCORED):
                yield file


def _recording(name: str, recordings: Mapping[str, Rows]) -> str | None:
    """Return the recording that a name belongs to: the longest with which it begins.

    What follows does not go on with the recording's last number or word: ``n1`` is not that of ``n10``.
    """
    for end in range(len(name), 0, -1):
        if name[:end] in recordings and not _goes_on(name[end - 1], name[end : end + 1]):
            return name[:end]
    return None


def _has_letters(staged: Staged, recording: str) -> bool:
    return staged.name.removeprefix(recording)[:1].isalpha()


def _goes_on(last: str, following: str) -> bool:
    return following.isalnum() and (not last.isdigit() or following.isdigit())


def _joined(
    scored: Scored, recordings: Mapping[str, Rows], files: Mapping[str, Staged]
) -> pa.Table:
    """Return the scored epochs of the recordings that have a file, with the tool's predictions."""
    whole = {name: recordings[name] for name in recordings if name in files}
    stages, odds = [], []
    for name, rows in whole.items():
        own = files[name]
        _check_corpus(scored.table, name, rows)
        at = scored.place[rows] if own.scored is None else _ranks(own, scored, name, rows)
        inside = at < len(own.stages)
        at = np.where(inside, at, 0)
        stages.append(np.where(inside, own.stages[at], NO_ANSWER))
        known = np.full((len(rows), N_STAGES), np.nan)
        if own.probabilities is not None:
            known = np.where(inside[:, None], own.probabilities[at], np.nan)
        odds.append(known)
    rows = np.concatenate(list(whole.values()))
    predicted = np.concatenate(stages)
    table = scored.table.take(pa.array(rows))
    names = pc.take(pa.array(STAGE_NAMES), pa.array(predicted, mask=predicted == NO_ANSWER))
    table = table.append_column("prediction", names)
    values = np.concatenate(odds)
    for i, name in enumerate(PROBABILITIES if np.isfinite(values).any() else ()):
        table = table.append_column(name, pa.array(values[:, i], from_pandas=True))
    return table


def _check_corpus(table: pa.Table, name: str, rows: Rows) -> None:
    """Refuse a name that recordings of several corpora have."""
    corpora = (
        pc.unique(table["corpus"].take(pa.array(rows))) if "corpus" in table.column_names else ()
    )
    if len(corpora) > 1:
        raise BuildError(
            f"several corpora of --labels have a recording {name}; give the epochs of one corpus"
        )


def _ranks(own: Staged, scored: Scored, name: str, rows: Rows) -> Rows:
    """Return the numbers of epochs among those with a stage, for a tool that counts only these.

    Raises
    ------
    BuildError
        If the tool's stages by the scorer are not those of the recording.
    """
    assert own.scored is not None
    labels = scored.table["label"].take(pa.array(rows))
    codes = pc.index_in(labels, value_set=pa.array(STAGE_NAMES)).to_numpy()
    n = len(own.scored)
    differ = (own.scored[: len(rows)] != codes[:n]) & (own.scored[: len(rows)] != NO_ANSWER)
    if n > len(rows) or differ.any():
        what = (
            f"{n} scored epochs, but --labels has {len(rows)}"
            if n > len(rows)
            else f"other scored stages than --labels in {counted(int(differ.sum()), 'epoch')}"
        )
        raise BuildError(
            f"{own.path}: {name} has {what}; give all epochs of the same scoring of the recording"
        )
    return np.arange(len(rows))


def _source(name: str, table: pa.Table, scored: Scored, labels: str) -> dict[str, Any]:
    """Return the contents of the JSON file beside the predictions."""
    tool = TOOLS[name]
    corpora = pc.unique(table["corpus"]).to_pylist() if "corpus" in table.column_names else [""]
    stated: dict[str, Any] = {"psgimg": version("psgimg"), **scored.facts}
    stated |= {"settings": {"model": tool.title, "dataset": labels}, "tool": name}
    if tool.view:
        stated[disclosure.VIEW] = tool.view.to_dict()
    if tool.elsewhere:
        stated[disclosure.ELSEWHERE] = tool.elsewhere.to_dict()
        stated[disclosure.PEOPLE] = tool.elsewhere.people_of(corpora)
    return stated


def _notes(
    title: str,
    others: Sequence[str],
    longer: Sequence[str],
    *,
    missing: int,
    left_out: int,
    shifted: int,
) -> tuple[str, ...]:
    """Return what a reader should know of how files and epochs were joined, one line each."""
    lines = []
    if missing:
        lines.append(
            f"{title} states no stage of {counted(missing, 'epoch')} that the scorer staged."
        )
    if left_out:
        lines.append(f"{counted(left_out, 'recording')} without a file of {title} left out.")
    if others:
        lines.append(f"{counted(len(others), 'name')} of no scored recording: {_some(others)}.")
    if longer:
        lines.append(f"Files matched by the beginning of their names: {_some(longer)}.")
    if shifted:
        lines.append(
            f"{counted(shifted, 'scored epoch')} start between two of {title}'s; each is compared "
            "with the nearer one."
        )
    return tuple(lines)


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:N_LISTED], *(["…"] if len(names) > N_LISTED else [])])
