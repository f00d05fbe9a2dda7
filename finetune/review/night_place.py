"""Night place: which nights a review is of, where their recordings lie, and where it is saved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.errors import BuildError
from psgimg.builder.recordings import open_signal
from psgimg.finetune.review import staged_facts
from psgimg.finetune.review.review_config import ReviewConfig
from psgimg.finetune.review.staged_facts import StagedFacts
from psgimg.finetune.staging.stage import FIGURES

SUFFIX = "-stages"
"""End of the name of a folder that `psgimg stage` writes."""


@dataclass(frozen=True)
class NightPlace:
    """A night to review.

    Parameters
    ----------
    name
        Name of the recording, without the suffix of its file.
    staged
        The folder that `psgimg stage` wrote; None for a recording.
    facts
        What that command wrote of the night; None for a recording.
    recording
        The recording's file.
    out
        Folder of the review.
    against
        File of a second scoring, if there is one.
    """

    name: str
    staged: Path | None
    facts: StagedFacts | None
    recording: Path
    out: Path
    against: Path | None = None

    @property
    def key(self) -> str:
        """Name of the night in addresses, which says nothing of it."""
        return hashlib.sha256(str(self.out.resolve()).encode()).hexdigest()[:12]


def find(config: ReviewConfig) -> list[NightPlace]:
    """Return the nights of a review, by name; those scored blind in an order that tells nothing.

    Raises
    ------
    BuildError
        If there is none, a recording can't be found, or options don't fit the nights.
    """
    folders = [path for path in config.nights if _holds_files(path)]
    staged = [folder for path in folders for folder in _staged(path)]
    files = [path for path in config.nights if path not in folders]
    if not staged and not files:
        raise BuildError("give a folder that `psgimg stage` wrote, or a recording")
    several = len(staged) + len(files) > 1
    if config.scoring and (several or staged):
        raise BuildError("--scoring belongs to one recording; give that recording alone")
    if several and config.recording and not _holds_files(config.recording):
        raise BuildError(
            f"--recording {config.recording} is one recording; give the folder that holds the recordings"
        )
    places = [_of_folder(folder, config, several=several) for folder in staged]
    places += [_of_file(path, config, several=several) for path in files]
    if config.blind:
        return sorted(places, key=lambda place: _shuffled(config.who, place))
    return sorted(places, key=lambda place: (place.name, str(place.out)))


def _holds_files(path: Path) -> bool:
    """Return whether a path is a folder, but not a recording in a format that is a folder."""
    return path.is_dir() and not open_signal.is_recording_folder(path)


def _shuffled(who: str, place: NightPlace) -> str:
    """Return what sorts nights at random, another way for each scorer and the same each time."""
    return hashlib.sha256(f"{who}/{place.key}".encode()).hexdigest()


def _staged(path: Path) -> list[Path]:
    """Return a folder of `psgimg stage`, or those in it."""
    if (path / FIGURES).is_file():
        return [path]
    found = sorted(mark.parent for mark in path.glob(f"*/{FIGURES}"))
    if not found:
        raise BuildError(
            f"{path} has no {FIGURES}, and neither has a folder in it; give a folder that "
            "`psgimg stage` wrote, or a folder of such"
        )
    return found


def _of_folder(folder: Path, config: ReviewConfig, *, several: bool) -> NightPlace:
    facts = staged_facts.read(folder / FIGURES)
    name = facts["night"]
    tried = _tried(folder, facts, config.recording)
    recording = next((path for path in tried if path.exists()), None)
    if recording is None:
        raise BuildError(
            f"the recording {name} of {folder} is not at {tried[0]}; say with --recording where it is"
        )
    stem = Path(name).stem
    inside = "blind" if config.blind else "review"
    out = folder / inside if config.out is None else config.out
    if config.out is not None and several:
        out = config.out / folder.name.removesuffix(SUFFIX)
    return NightPlace(stem, folder, facts, recording, out, _against(stem, config, several=several))


def _tried(folder: Path, facts: StagedFacts, given: Path | None) -> list[Path]:
    """Return where a recording may lie, the likeliest first."""
    plain = Path(facts["night"]).name
    if given is not None:
        return [given / plain] if _holds_files(given) else [given]
    told = [folder / facts["recording"]] if "recording" in facts else []
    return [*told, folder.parent / plain, Path(plain)]


def _of_file(path: Path, config: ReviewConfig, *, several: bool) -> NightPlace:
    if not path.exists():
        raise BuildError(f"{path} not found; give a recording, or a folder of `psgimg stage`")
    kind = "blind" if config.blind else "review"
    out = config.out or Path(f"{path.stem}-{kind}")
    if config.out is not None and several:
        out = config.out / path.stem
    against = _against(path.stem, config, several=several)
    return NightPlace(path.stem, None, None, path, out, against)


def _against(stem: str, config: ReviewConfig, *, several: bool) -> Path | None:
    """Return the second scoring of a night."""
    given = config.against
    if given is None:
        return None
    if not given.exists():
        raise BuildError(f"--against {given} not found; give a scoring of the same night")
    if not given.is_dir():
        if several:
            raise BuildError(
                f"--against {given} is one file; give a folder with one for each night"
            )
        return given
    if (given / FIGURES).is_file():
        return given / "hypnogram.csv"
    return _one_of(given, stem)


def _one_of(folder: Path, stem: str) -> Path | None:
    """Return the scoring of a night in a folder of scorings; None if there is none.

    Its name is that of the night, or begins with it: ``a1.csv`` or ``a1-ben.csv``, not ``a10.csv``.
    """
    staged = folder / f"{stem}{SUFFIX}" / "hypnogram.csv"
    if staged.is_file():
        return staged
    begun = [path for path in sorted(folder.iterdir()) if path.name.startswith(stem)]
    files = [path for path in begun if path.is_file()]
    own = [path for path in files if path.stem == stem]
    named = own or [path for path in files if not path.name[len(stem)].isalnum()]
    if len(named) > 1:
        names = ", ".join(path.name for path in named)
        raise BuildError(
            f"--against {folder} has several files for {stem}: {names}; leave one of them there"
        )
    return named[0] if named else None
