"""Channels: choose the channel of each lane in a file of an unknown corpus, by label or by option.

Labels are matched strictly: an ambiguous one (``EMG Tib L``, ``EOG1``, ``EEG 2``) is ignored, and
the user assigns it with ``--channel``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.lanes.derive import plain
from psgimg.builder.recordings.montage import (
    Derivation,
    Found,
    Judge,
    Kind,
    Lane,
    Montage,
    find,
    has_eeg,
    lacks,
    usable,
)

_SEPARATORS = " _:/.-"
_SEP = f"[{_SEPARATORS}]*"
_SIDES = (("1", "L(?:EFT)?", "L"), ("2", "R(?:IGHT)?", "R"))

# Names of electrodes in capitals, optionally preceded by the type of signal.
_ELECTRODES = {
    **{f"M{n}": re.compile(rf"(?:EEG{_SEP})?[AM]{n}") for n in "12"},
    **{
        f"E{n}": re.compile(
            rf"(?:E[EO]G{_SEP})?(?:E{n}|{letter}OC)|EOG{_SEP}\(?{side}\)?|{side}{_SEP}EOG"
        )
        for n, side, letter in _SIDES
    },
    **{
        f"Chin{n}": re.compile(rf"(?:EMG{_SEP})?(?:CHIN ?(?:{n}|{side})|{side} ?CHIN)")
        for n, side, _ in (*_SIDES, ("3", "3", ""))
    },
    **{f"ECG{n}": re.compile(rf"(?:ECG|EKG) ?{n}") for n in "12"},
}
_SCALP = re.compile(rf"(?:EEG{_SEP})?(FP|AF|FT|FC|TP|CP|PO|F|T|C|P|O)(Z|10|[1-9])")
_KINDS = {
    Kind.EEG: _SCALP,
    Kind.EOG: re.compile("E[12]|EOG.*"),
    Kind.EMG: re.compile("CHIN[123]?|EMG.*"),
    Kind.ECG: re.compile("E[CK]G.*"),
}
_LINKED_EARS = re.compile(r"\(?[AM]1 ?\+? ?[AM]2\)?(?:/2)?")
_REFERENCES = {"REFERENCE": "REF", "VREF": "REF"}
_WHOLE = {
    "Chin": re.compile(
        rf"EMG|(?:EMG{_SEP})?(?:CHIN|SUB-?MENTAL(?:IS)?|MENTALIS)|(?:CHIN|SUBMENTAL){_SEP}EMG"
    ),
    "ECG": re.compile(rf"(?:ECG|EKG)(?:{_SEP}(?:LEAD )?(?:I{{1,3}}|AV[RLF]|V[1-6]))?"),
    # As in Sleep-EDF. No label states which eye is the positive one.
    "EOGh": re.compile(rf"EOG{_SEP}HORIZ(?:ONTAL)?"),
}
"""Inputs that are already bipolar."""


def standard_channels(labels: Sequence[str]) -> dict[str, str]:
    """Return a channel table derived from labels such as ``EEG C4-A1``.

    A leading type is dropped, A1 and A2 become M1 and M2, LOC and ROC become E1 and E2; an
    electrode without a reference is taken as recorded against a common one, ``REF``. Labels that
    are not recognised are omitted.
    """
    # High-density nets number scalp electrodes E1, E2, E3 and so on; there, E1 is not an eye.
    net = any(re.fullmatch(r"(EEG\s*)?E([5-9]|\d\d+)", label.strip(), re.I) for label in labels)
    # If another channel is labelled as chin, one labelled just EMG is of another muscle.
    chin = any(_is_chin(label) for label in labels)
    return {
        label: name
        for label in labels
        if (name := standard_name(label))
        and not (net and name in ("E1-REF", "E2-REF"))
        and not (chin and name == "Chin" and not _is_chin(label))
    }


def standard_name(label: str) -> str | None:
    """Return the standard name of the derivation that a label denotes, or None."""
    text = re.sub("[–—−]", "-", " ".join(label.split())).strip(" .").upper()
    for name, pattern in _WHOLE.items():
        if pattern.fullmatch(text):
            return name
    for stop in range(len(text), 0, -1):
        if plus := _electrode(text[:stop]):
            minus = _reference(text[stop:])
            if minus and minus != plus:
                return f"{plus}-{minus}"
    return None


def standard_kind(derivation: str) -> Kind | None:
    """Return the kind of lane that suits a derivation's first electrode, or None."""
    electrode = derivation.partition("-")[0].upper()
    return next((kind for kind, names in _KINDS.items() if names.fullmatch(electrode)), None)


def choose(
    montage: Montage,
    labels: Sequence[str],
    given: Mapping[str, str],
    *,
    where: str,
    judge: Judge = usable,
) -> Found:
    """Choose the derivation of each lane: as given, otherwise by label; None if there is none.

    Parameters
    ----------
    given
        Lane, or one of its derivations, to the label of a channel, or to ``A,B`` for the
        difference of two channels.
    judge
        Returns why a derivation can't be drawn; a lane that is not given shows the next one.

    Raises
    ------
    BuildError
        If a given lane or channel does not exist, is given twice or can't be drawn, or no EEG lane
        can be filled.
    """
    by_hand: dict[str, Derivation] = {}
    for key, value in given.items():
        lane, name = _lane(montage, key)
        if lane.name in by_hand:
            raise BuildError(f"--channel gives lane {lane.name} twice; give it once")
        filling = Derivation(name, *_numbers(value, labels, where))
        if any((d.plus, d.minus) == (filling.plus, filling.minus) for d in by_hand.values()):
            raise BuildError(f"--channel gives {value!r} to two lanes; give each its own channel")
        if fault := judge(filling, lane.kind):
            raise BuildError(f"--channel {key}={value} can't be used: {fault.detail}")
        by_hand[lane.name] = filling
    taken = {d.plus for d in by_hand.values() if d.minus is None}
    free = ["" if number in taken else label for number, label in enumerate(labels)]
    found = find(montage, free, standard_channels(labels), by_hand, judge)
    if not has_eeg(montage, found.derivations):
        raise BuildError(_no_eeg(montage, labels, where, lacks(montage, found)))
    return found


def _lane(montage: Montage, key: str) -> tuple[Lane, str]:
    """Return the lane that a key denotes, and the named derivation or else the lane's first one."""
    for lane in montage.lanes:
        if plain(key) == plain(lane.name):
            return lane, lane.derivations[0]
    name = standard_name(key) or key
    lanes = [lane for lane in montage.lanes if name in lane.derivations]
    if not lanes:
        raise BuildError(
            f"--channel: no lane {key!r}; choose from {', '.join(_names(montage.lanes))}"
        )
    return min(lanes, key=lambda lane: lane.derivations.index(name)), name


def _numbers(value: str, labels: Sequence[str], where: str) -> Iterator[int]:
    """Yield the index of the channel with a label, or of the two in ``A,B``."""
    indices = {plain(label): number for number, label in reversed(list(enumerate(labels)))}
    parts = [value] if plain(value) in indices else value.split(",")
    for part in parts if len(parts) <= 2 else [value]:
        number = indices.get(plain(part))
        if number is None:
            raise BuildError(
                f"{where} has no channel {part.strip()!r}; it has {', '.join(map(repr, labels))}"
            )
        yield number


def assignments(montage: Montage) -> str:
    """Return the options that assign channels to the first EEG lanes of a montage, to be completed."""
    wanted = _eeg_names(montage)
    return " ".join(f'--channel {name}="LABEL"' for name in wanted[:2])


def _eeg_names(montage: Montage) -> list[str]:
    return _names([lane for lane in montage.lanes if lane.kind is Kind.EEG])


def _no_eeg(montage: Montage, labels: Sequence[str], where: str, lacking: str) -> str:
    wanted, options = _eeg_names(montage), assignments(montage)
    listed = ", ".join(map(repr, labels))
    if lacking:
        return f"no usable EEG: {lacking}; or assign another channel ({listed}): {options}"
    return (
        f"{where}: no EEG found for {', '.join(wanted)} among its channels {listed}; assign them: "
        f"{options}"
    )


def _names(lanes: Sequence[Lane]) -> list[str]:
    return [lane.derivations[0] if lane.kind is Kind.EEG else lane.name for lane in lanes]


def _is_chin(label: str) -> bool:
    """Whether a label states explicitly that its channel is a chin EMG."""
    return (standard_name(label) or "").startswith("Chin") and plain(label) != "emg"


def _electrode(text: str) -> str:
    for name, pattern in _ELECTRODES.items():
        if pattern.fullmatch(text):
            return name
    if match := _SCALP.fullmatch(text):
        return match[1].replace("FP", "Fp") + match[2].lower()
    return ""


def _reference(text: str) -> str:
    """Return the reference in the text after an electrode; "" if the text is something else."""
    if not text:
        return "REF"
    bare = text.lstrip(_SEPARATORS)
    electrode = _electrode(bare)
    if electrode and (bare != text or electrode in ("M1", "M2")):  # C4M1
        return electrode
    if _LINKED_EARS.fullmatch(bare):
        return "LER"
    if text[0] in "-:" and re.fullmatch("[A-Z][A-Z0-9]{0,7}", bare):
        return _REFERENCES.get(bare, bare)
    return ""
