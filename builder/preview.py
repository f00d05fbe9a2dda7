"""Preview: one page of a recording as a picture, before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from psgimg.builder import files, montage, sources
from psgimg.builder.corpora import corpus
from psgimg.builder.edf import EdfFile, open_edf
from psgimg.builder.errors import BuildError
from psgimg.builder.pages import PAGE_S
from psgimg.builder.recipe import Recipe
from psgimg.builder.signals import read_signals
from psgimg.builder.style import load_style

DEFAULT_MAINS_HZ = 50.0


@dataclass(frozen=True)
class PreviewConfig:
    """A page to look at: of an EDF, or of a recording of a corpus."""

    edf: Path | None
    source: str = ""
    root: str = ""
    recording: str = ""
    epoch: int = 0
    montage: str = ""
    style: str = "clinical"
    out: Path = Path("page.png")


@dataclass(frozen=True)
class PreviewPage:
    """What was drawn: the file, its title, and each lane with the derivation that fills it."""

    out: Path
    title: str
    lanes: tuple[tuple[str, str], ...]


def preview(config: PreviewConfig) -> PreviewPage:
    """Draw page ``epoch`` (30 s each, from the recording's start) to ``out``.

    Raises
    ------
    BuildError, RecordingError
        If there is no such recording or page, or no channel to draw.
    """
    from psgimg.builder.render import Page

    edf = open_edf(_path(config))
    known = corpus(config.source) if config.source else None
    recipe = Recipe(
        montage.montage(config.montage or (known.montage if known else montage.DEFAULT_MONTAGE)),
        load_style(config.style),
    )
    channels = known.channels if known else montage.standard_channels(edf.labels)
    derivations = montage.resolve(recipe.montage, edf.labels, channels, edf.path.name)
    start_s = config.epoch * PAGE_S
    _refuse_beyond(edf, config.epoch)
    signals = read_signals(
        edf,
        recipe.montage,
        derivations,
        filters=recipe.filters,
        mains_hz=known.mains_hz if known else DEFAULT_MAINS_HZ,
        sfreq_hz=recipe.sfreq_hz,
        span_s=(start_s, start_s + PAGE_S),
    )
    stretch = signals.stretches[0]
    first = max(0, round((start_s - stretch.start_s) * recipe.sfreq_hz))
    data_uv = stretch.data_uv[:, first : first + round(PAGE_S * recipe.sfreq_hz)]
    page = Page(recipe.style, recipe.montage, [d is None for d in derivations], signals.envelopes)
    with files.whole(config.out) as temporary:
        temporary.write_bytes(page.png(np.ascontiguousarray(data_uv)))
    lanes = tuple(
        (lane.name, derivation.name if derivation else "absent")
        for lane, derivation in zip(recipe.montage.lanes, derivations, strict=True)
    )
    return PreviewPage(config.out, f"{edf.path.name}, {start_s:g} to {start_s + PAGE_S:g} s", lanes)


def _path(config: PreviewConfig) -> Path:
    if config.edf is not None:
        return config.edf
    if not (config.source and config.recording):
        raise BuildError("give an EDF file, or --source NAME --recording NAME")
    source = sources.locate([config.source], [config.root] if config.root else [])[0]
    found: Mapping[str, Path] = {
        r.recording: r.signal for r in source.corpus.recordings(source.root)
    }
    if config.recording not in found:
        raise BuildError(
            f"{config.source} in {source.root} has no recording {config.recording!r}; "
            f"there are {', '.join(list(found)[:10])}{' …' if len(found) > 10 else ''}"
        )
    return found[config.recording]


def _refuse_beyond(edf: EdfFile, epoch: int) -> None:
    n_pages = int(edf.duration_s // PAGE_S)
    if epoch >= n_pages:
        raise BuildError(
            f"{edf.path.name} lasts {edf.duration_s:g} s, {n_pages} pages; give --epoch 0 to {n_pages - 1}"
        )
