"""Preview: one page of a recording as a picture, before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import atomic_file
from psgimg.builder.corpora import sources
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings import montage
from psgimg.builder.recordings.channels import standard_channels
from psgimg.builder.recordings.mne_reader import open_any
from psgimg.builder.recordings.montage_file import load_montage
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import load_style
from psgimg.builder.signals.epoching import PAGE_S, cut, missing_signal
from psgimg.builder.signals.filter_settings import load_filters
from psgimg.builder.signals.filtering import read_signals
from psgimg.builder.unscored_night import NewPage

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
    filters: str = ""
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
    from psgimg.builder.render.page import Page

    edf = open_any(_path(config))
    known = corpus(config.source) if config.source else None
    recipe = Recipe(
        load_montage(config.montage or (known.montage if known else montage.DEFAULT_MONTAGE)),
        load_style(config.style),
        load_filters(config.filters),
    )
    channels = known.channels if known else standard_channels(edf.labels)
    derivations = montage.resolve(recipe.montage, edf.labels, channels, edf.path.name)
    epoch = _page(edf, config.epoch)
    signals = read_signals(
        edf,
        recipe.montage,
        derivations,
        filters=recipe.filters,
        mains_hz=known.mains_hz if known else DEFAULT_MAINS_HZ,
        sfreq_hz=recipe.sfreq_hz,
        span_s=(epoch.page_start_s, epoch.page_start_s + PAGE_S),
    )
    data_uv = next(cut(signals, (epoch,)))
    page = Page(recipe.style, recipe.montage, [d is None for d in derivations], signals.envelopes)
    with atomic_file.whole(config.out) as temporary:
        temporary.write_bytes(page.png(data_uv))
    lanes = tuple(
        (lane.name, derivation.name if derivation else "absent")
        for lane, derivation in zip(recipe.montage.lanes, derivations, strict=True)
    )
    title = f"{edf.path.name}, {epoch.onset_s:g} to {epoch.onset_s + PAGE_S:g} s"
    return PreviewPage(config.out, title, lanes)


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


def _page(edf: SignalFile, number: int) -> NewPage:
    """The n-th 30 s of a recording, whatever its stage."""
    n_pages = int(edf.duration_s // PAGE_S)
    if number >= n_pages:
        raise BuildError(
            f"{edf.path.name} lasts {edf.duration_s:g} s, {n_pages} pages; "
            f"give --epoch 0 to {n_pages - 1}"
        )
    start_s = number * PAGE_S
    if missing := missing_signal(edf, start_s):
        raise BuildError(f"{edf.path.name}: page {number} lies {missing}; give another --epoch")
    return NewPage(number, start_s)
