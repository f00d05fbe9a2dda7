"""Preview: one page of a recording as a picture, or the reason why a build would not draw it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import atomic_file, night
from psgimg.builder.access import supply
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.corpora import registry
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.drawing import draw_pages
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import ownership
from psgimg.builder.night import Plan
from psgimg.builder.progress import BYTES, SILENT, Progress
from psgimg.builder.recordings import montage, usable
from psgimg.builder.recordings.channels import assignments, standard_channels
from psgimg.builder.recordings.montage import Derivation
from psgimg.builder.recordings.montage_file import load_montage
from psgimg.builder.recordings.open_signal import open_signal
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.render import named_page
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.signals import polarity
from psgimg.builder.signals.epoching import PAGE_S, Epoch, Paged, count_pages
from psgimg.builder.signals.filter_settings import load_filters
from psgimg.builder.signals.polarity import Polarity
from psgimg.builder.signals.polarity_rule import BLINKS
from psgimg.builder.unscored_night import UnscoredPage, require_mains

DEFAULT_MAINS_HZ = 50.0
PNG = b"\x89PNG\r\n\x1a\n"
"""Signature of a PNG file."""

N_NAMED = 10
"""Number of recordings that a one-line message lists."""


@dataclass(frozen=True)
class PreviewConfig:
    """The page to draw: from a file, or from a scored recording of a corpus.

    Parameters
    ----------
    edf
        File in any format that MNE reads; None for ``recording`` of ``source``.
    source
        Corpus of the recording; with ``edf``, the corpus whose channel names the file uses.
    epoch
        Number of the epoch as in the dataset; for ``edf``, number of the 30-s page, from 0.
    polarity
        What decides whether EEG and EOG are stored upside down.
    channels
        Lane to channel label, as for staging; only for a file of no corpus.
    mains_hz
        Mains frequency, 50 or 60; None for that of the corpus, or 50.
    fetch
        How the recording is fetched if it is not on disk; None if it is.
    out
        File of the page; ``named`` is written beside it.
    """

    edf: Path | None
    source: str = ""
    root: str = ""
    recording: str = ""
    epoch: int = 0
    montage: str = ""
    filters: str = ""
    style: str = "clinical"
    polarity: str = BLINKS
    channels: Mapping[str, str] | None = None
    mains_hz: float | None = None
    fetch: FetchConfig | None = None
    out: Path = Path("page.png")

    def __post_init__(self) -> None:
        if self.mains_hz is not None:
            require_mains(self.mains_hz)
        if self.edf is None and (self.channels or self.mains_hz):
            raise BuildError(
                "--channel and --mains go with a file; a recording of a corpus has those of its corpus"
            )
        if self.edf is not None and self.fetch:
            raise BuildError("--fetch brings a recording of a corpus, not a file; leave it out")
        if self.source and self.channels:
            raise BuildError(
                "--channel assigns the channels of a file that belongs to no corpus; leave out --source"
            )


@dataclass(frozen=True)
class PreviewPage:
    """The page that was drawn: its file, its title, the derivation of each lane, and notes on them.

    ``named`` is the file with the page and the names of its lanes beside it.
    """

    out: Path
    named: Path
    title: str
    lanes: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Night:
    """An opened recording and the one page of it to draw."""

    file: SignalFile
    derivations: tuple[Derivation | None, ...]
    polarity: Polarity
    page: Paged
    mains_hz: float
    notes: tuple[str, ...]


def preview(config: PreviewConfig, progress: Progress = SILENT) -> PreviewPage:
    """Draw one page to ``config.out``.

    A page that a build would not draw is refused with the build's reason, except for wakefulness
    far from sleep, which a build leaves out only because of ``--trim``.

    Raises
    ------
    BuildError, RecordingError
        If the recording or page does not exist, or a build would not draw it.
    """
    beside = config.out.with_name(f"{config.out.stem}-named.png")
    for path in (config.out, beside):
        _refuse_no_picture(path)
    corpus = registry.corpus(config.source) if config.source else None
    recipe = _recipe(config, corpus)
    with ExitStack() as stack:
        if config.edf is None:
            opened = stack.enter_context(_from_corpus(config, recipe, progress))
        else:
            opened = _from_file(config.edf, config, recipe, corpus)
        drawn = draw_pages(
            opened.file,
            opened.polarity.turn(recipe.montage, opened.derivations),
            [opened.page],
            recipe,
            mains_hz=opened.mains_hz,
        )
        page = next(drawn.pictures)
    read = drawn.lanes
    figure = named_page.named(page, recipe.style, recipe.montage, read.names, read.envelopes)
    for path, png in ((config.out, page), (beside, figure)):
        with atomic_file.whole(path) as temporary:
            temporary.write_bytes(png)
    start_s = opened.page.page_start_s
    title = f"{opened.file.path.name}, {start_s:g} to {start_s + PAGE_S:g} s"
    lanes = zip(recipe.montage.lanes, read.names, strict=True)
    shown = tuple((lane.name, name or "absent") for lane, name in lanes)
    notes = (*opened.notes, *opened.polarity.notes)
    return PreviewPage(config.out, beside, title, shown, notes)


def _refuse_no_picture(out: Path) -> None:
    """Refuse to replace a file that is not a picture, such as the recording itself."""
    if out.is_file():
        with out.open("rb") as file:
            if file.read(len(PNG)) != PNG:
                raise ownership.foreign(out, "--out")


def _recipe(config: PreviewConfig, corpus: Corpus | None) -> Recipe:
    default = corpus.montage if corpus else montage.DEFAULT_MONTAGE
    return Recipe(
        load_montage(config.montage or default),
        load_style(config.style),
        load_filters(config.filters),
        polarity=config.polarity,
    )


def _resolved(file: SignalFile, recipe: Recipe, channels: Mapping[str, str]) -> usable.Lanes:
    """Return the lanes that a file offers; without EEG, the error also tells how to assign channels."""
    try:
        return usable.resolve(file, recipe.montage, channels)
    except RecordingError as error:
        how = f"or assign a channel to a lane: {assignments(recipe.montage)}"
        raise RecordingError(error.reason, f"{error.detail}, {how}") from error


def _from_file(path: Path, config: PreviewConfig, recipe: Recipe, corpus: Corpus | None) -> _Night:
    """Open a file with one of its pages, which needs no stage."""
    file, epoch = open_signal(path), config.epoch
    own = corpus.channels if corpus else {}  # a BIDS dataset has none for all its files
    channels = own or standard_channels(file.labels)
    if config.channels:
        lanes = usable.choose(file, recipe.montage, config.channels)
    else:
        lanes = _resolved(file, recipe, channels)
    n_pages = count_pages(file.duration_s)
    if epoch >= n_pages:
        remedy = f"use --epoch 0 to {n_pages - 1}" if n_pages else "choose a longer recording"
        raise BuildError(f"{file.path.name} lasts {file.duration_s:g} s, {n_pages} pages; {remedy}")
    mains_hz = config.mains_hz or (corpus.mains_hz if corpus else DEFAULT_MAINS_HZ)
    stated = corpus is not None and corpus.inverted is True
    sign = polarity.decide(recipe.polarity, file, channels, lanes.derivations, stated=stated)
    notes = (*file.notes, *lanes.notes)
    return _Night(file, lanes.derivations, sign, UnscoredPage(epoch), mains_hz, notes)


@contextmanager
def _from_corpus(config: PreviewConfig, recipe: Recipe, progress: Progress) -> Iterator[_Night]:
    """Open a scored recording with one of its pages, planned as in a build."""
    if not (config.source and config.recording):
        raise BuildError("give an EDF file, or --source NAME --recording NAME")
    corpora = registry.corpora([config.source])
    roots = [config.root] if config.root else []
    with supply.opened(corpora, roots, config.fetch, progress) as ([source], stocks):
        recording = _find(source, config.recording)
        if stock := stocks.get(source.corpus.name):
            progress.start("fetching", stock.n_bytes(recording), BYTES)
            stock.bring(recording)
        spec = PageSpec(recipe)
        plan = night.plan(source.corpus, recording, spec)
        epoch = _epoch(plan, config.epoch)
        sign = night.upright(plan, spec).polarity
        yield _Night(plan.file, plan.derivations, sign, epoch, plan.mains_hz, plan.notes)


def _find(source: Source, name: str) -> Recording:
    available = {r.recording: r for r in source.recordings()}
    if name not in available:
        named = ", ".join(list(available)[:N_NAMED]) + (" …" if len(available) > N_NAMED else "")
        raise BuildError(
            f"{source.corpus.name} in {source.root} has no recording {name!r}; choose from {named}"
        )
    return available[name]


def _epoch(plan: Plan, number: int) -> Epoch:
    """Return the epoch with this number, or raise a BuildError with the reason to leave it out."""
    drawn = plan.selection.epochs
    for epoch in drawn:
        if epoch.index == number:
            return epoch
    reason = dict(plan.selection.reasons).get(number, "not in the scoring")
    nearest = min(drawn, key=lambda epoch: abs(epoch.index - number)).index
    raise BuildError(
        f"{plan.recording.recording}: a build leaves out epoch {number} ({reason}); choose another "
        f"--epoch, such as {nearest}"
    )
