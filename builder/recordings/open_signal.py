"""Open signal: open a recording in any format that psgimg reads."""

from __future__ import annotations

import re
from pathlib import Path

from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.formats.hdf5_reader import SIGNATURE, open_hdf5
from psgimg.builder.recordings.formats.mne_reader import open_mne
from psgimg.builder.recordings.formats.wfdb_reader import is_wfdb, open_wfdb
from psgimg.builder.recordings.signal_file import SignalFile

EDF_VERSION = re.compile(rb"0[ \0]{7}")
"""First bytes of every EDF, whatever its suffix."""

EDF_SUFFIXES = (".edf", ".rec")
"""Suffixes of files that are EDF, or a damaged one."""

FOLDER_SUFFIXES = (".ds", ".mefd", ".mff")
"""Suffixes of recordings that are folders: those of CTF, MEF 3.0 and EGI."""

HEADERS = {".eeg": ".vhdr", ".fdt": ".set"}
"""Files of BrainVision and EEGLAB that hold samples alone, opened through the header beside them."""


def is_recording_folder(path: Path) -> bool:
    """Return whether a folder is a recording by its suffix, and not a folder of other files."""
    return path.suffix.lower() in FOLDER_SUFFIXES and path.is_dir()


def open_signal(path: Path) -> SignalFile:
    """Open a recording: EDF with ``edf.py``, HDF5 with h5py, WFDB with wfdb, others with MNE.

    Raises
    ------
    RecordingError
        If the file can't be read, or its format is unknown to MNE.
    """
    if not path.name:  # "", "." and "/"
        raise RecordingError("unreadable file", f"{path} is a folder; give the file of a recording")
    header = path.with_suffix(HEADERS.get(path.suffix.lower(), path.suffix))
    path = header if header.exists() else path
    try:
        with path.open("rb") as file:
            begin = file.read(8)
    except IsADirectoryError:  # some formats are folders
        begin = b""
    except OSError as error:
        raise unreadable(path.name, error) from error
    if begin == SIGNATURE:
        return open_hdf5(path)
    if EDF_VERSION.fullmatch(begin) or path.suffix.lower() in EDF_SUFFIXES:
        return open_edf(path)
    if not begin and path.is_file():  # MNE would complain of the suffix
        raise RecordingError("unreadable recording", f"{path.name} is empty; get the file again")
    return open_wfdb(path) if is_wfdb(path) else open_mne(path)
