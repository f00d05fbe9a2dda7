"""Sidecars: channels, reference and mains frequency of a recording, from the files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from psgimg.builder.corpora.bids.bids_file import parse
from psgimg.builder.corpora.bids.bids_form import BidsForm
from psgimg.builder.corpora.bids.bids_table import NULL, read_object, read_table
from psgimg.builder.recordings.channels import standard_channels, standard_name
from psgimg.builder.recordings.lanes.derive import COMMON
from psgimg.builder.recordings.recording import MAINS_HZ, Inputs, Recording

DEFAULT_MAINS_HZ = 50.0

_SIDES = {"M1": "left", "M2": "right"}
_OPPOSITE_TO = {**dict.fromkeys("13579", "M2"), **dict.fromkeys("02468", "M1")}
_HERTZ = re.compile(r"\s*(\d+(?:\.0*)?)\s*(?:hz)?\s*", re.IGNORECASE)
_LINKED = re.compile(
    r"link|average|mean|both (mastoid|ear)|[am]1\s*(\+|/|&|,|and)\s*[am]2|mastoids|earlobes"
)
_OPPOSITE = re.compile(r"contra-?\s?lateral|opposite")


def inputs(form: BidsForm, recording: Recording, labels: Sequence[str]) -> Inputs:
    """Return what the channels of a recording are, and its mains frequency.

    Raises
    ------
    RecordingError
        If a sidecar can't be read.
    """
    described: dict[str, Any] = {}
    references: dict[str, str] = {}
    for path in recording.side_files:
        file = parse(path)
        if file and file.has("eeg", ".json"):
            described |= read_object(path)
        elif file and file.has("channels", ".tsv"):
            table = read_table(path)
            if (names := table.find("name")) and (reference := table.find("reference")):
                stated = zip(table.values(names), table.values(reference), strict=True)
                references = {name: text for name, text in stated if text}
    mains_hz, notes = _mains_hz(form, described.get("PowerLineFrequency"))
    if form.channels:
        return Inputs(form.channels, mains_hz, notes)
    common = str(described.get("EEGReference") or "")
    return Inputs(channels(labels, common, references), mains_hz, notes)


def channels(labels: Sequence[str], common: str, references: Mapping[str, str]) -> dict[str, str]:
    """Return a channel table by labels and by the references that the sidecars state.

    What stands before the name of an electrode in every label, ``PSG_``, is dropped.

    Parameters
    ----------
    common
        ``EEGReference``, in any words.
    references
        Label → its own reference, in any words.
    """
    bare = _without_common_prefix(labels)
    table = standard_channels(list(bare.values()))
    found = {}
    for label, short in bare.items():
        name = table.get(short)
        if name is None:
            continue
        electrode, _, reference = name.partition("-")
        if reference == COMMON and not electrode.startswith("Chin"):
            reference = reference_in(references.get(label, common), electrode)
            name = f"{electrode}-{reference}" if reference != electrode else name
        found[label] = name
    return found


def reference_in(text: str, electrode: str) -> str:
    """Return the reference of an electrode that a text states; ``REF`` if it states none."""
    plain = " ".join(text.lower().split())
    if plain in NULL:
        return COMMON
    if _OPPOSITE.search(plain):  # of an electrode on the midline, none is
        return _OPPOSITE_TO.get(electrode[-1:], COMMON)
    if _LINKED.search(plain) and re.search(r"mastoid|ear|[am]1", plain):
        return "LER"
    for mastoid, side in _SIDES.items():
        if re.search(rf"{side}[ -]*(mastoid|ear)|\b[am]{mastoid[1]}\b", plain):
            return mastoid
    words = re.findall(r"[A-Za-z]+\d*", text)
    named = {
        standard_name(word) for word in words if re.fullmatch(r"[A-Za-z]{1,3}(\d+|[zZ])", word)
    }
    electrodes = {name.partition("-")[0] for name in named if name}
    return electrodes.pop() if len(electrodes) == 1 else COMMON


def _mains_hz(form: BidsForm, stated: object) -> tuple[float, tuple[str, ...]]:
    """Return the mains frequency, with a note if it is assumed; some write it as a text, ``60 Hz``."""
    match = _HERTZ.fullmatch(str(stated))
    if match and float(match[1]) in MAINS_HZ:
        return float(match[1]), ()
    if form.mains_hz is not None:
        return form.mains_hz, ()
    return DEFAULT_MAINS_HZ, (f"mains frequency not stated, {DEFAULT_MAINS_HZ:g} Hz assumed",)


def _without_common_prefix(labels: Sequence[str]) -> dict[str, str]:
    """Return each label without a beginning that all of them share, up to ``_`` or ``:``."""
    parts = [re.match(r"[A-Za-z]+[_:]", label) for label in labels]
    shared = {part[0] for part in parts if part}
    if len(labels) > 1 and all(parts) and len(shared) == 1:
        (prefix,) = shared
        return {label: label.removeprefix(prefix) for label in labels}
    return {label: label for label in labels}
