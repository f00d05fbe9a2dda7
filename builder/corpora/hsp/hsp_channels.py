"""HSP channels: what the labels of the Human Sleep Project's sites denote.

The sites name their channels freely. Labels with electrode and reference (``F3:M2``, ``EEG C4-A1``,
``m2:f3``) are read as in any file; the others of the Challenge's ``channel_table.csv`` are listed here.
What that table takes for a derivation although its label states another (``F3-AVG``, ``F3-M2+M1``) is
left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from psgimg.builder.recordings.channels import standard_channels
from psgimg.builder.recordings.recording import Inputs, Recording

MAINS_HZ = 60.0

# channel_table.csv of the Challenge, labels whose words state no electrode.
ALIASES: dict[str, str] = {
    "eog1": "E1-REF",
    "eog2": "E2-REF",
    "lt eye (e1)": "E1-REF",
    "lt. eye (e1)": "E1-REF",
    "rt eye (e2)": "E2-REF",
    "rt. eye (e2)": "E2-REF",
    "chin1chin2": "Chin1-Chin2",
    "china": "Chin",
    "chin-a": "Chin",
    "chin_emg": "Chin",
    "emg.subm": "Chin",
    "emg1-emg2": "Chin1-Chin2",
    "emg1": "Chin1-REF",
    "emg2": "Chin2-REF",
    "chin_emg1": "Chin1-REF",
    "chin_emg2": "Chin2-REF",
    "chin emg 1": "Chin1-REF",
    "chin emg 2": "Chin2-REF",
    "chin l": "Chin1-REF",
    "chin r": "Chin2-REF",
    "chinl": "Chin1-REF",
    "chinr": "Chin2-REF",
}

# The Challenge's own helper drops these from labels.
_ADDED = re.compile("_pds|_eg", re.IGNORECASE)


def inputs(_recording: Recording, labels: Sequence[str]) -> Inputs:
    """Return what the channels of a recording are, by their labels."""
    return Inputs(channels(labels), MAINS_HZ)


def channels(labels: Sequence[str]) -> dict[str, str]:
    """Return a channel table of a file's labels; those that are not recognised are omitted."""
    bare = {label: " ".join(_ADDED.sub("", label).split()) for label in labels}
    known = standard_channels(list(dict.fromkeys(bare.values())))
    found = {label: ALIASES.get(short.lower()) or known.get(short) for label, short in bare.items()}
    return {label: name for label, name in found.items() if name}
