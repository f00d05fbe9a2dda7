"""NSRR corpora: SHHS, MESA, MrOS, CFS and WSC of the National Sleep Research Resource, and the table of all.

Only data; their common reader is in ``nsrr_reader.py``.
"""

from __future__ import annotations

from functools import partial

from psgimg.builder.citing.reference import Reference
from psgimg.builder.corpora.nsrr import eannot, nsrr_further
from psgimg.builder.corpora.nsrr.nsrr_common import AGAINST_FPZ, ONE_SCORER, R_AND_K, nsrr_terms
from psgimg.builder.corpora.nsrr.nsrr_reader import (
    EANNOT_SCORING,
    Names,
    read_hypnogram,
    recordings,
)
from psgimg.builder.recordings.recording import Corpus

_SHHS_NAMES = Names("shhs", r"(?P<recording>shhs[12]-(?P<subject>\d{6}))", "shhs1-200001.edf")
SHHS = Corpus(
    name="shhs",
    title="Sleep Heart Health Study (visits 1 and 2)",
    terms=nsrr_terms(
        "shhs",
        Reference(
            "quan1997",
            ("Quan SF",),
            "The Sleep Heart Health Study: design, rationale, and methods",
            1997,
            "Sleep",
            "20",
            "12",
            "1077-1085",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="central",
    # nsrr/shhs-documentation, montage: EEG is C4-A1 and EEG(sec) C3-A2. Some published pipelines
    # swap the two. These are all spellings of EEG(sec) in the 8,444 files.
    channels={
        "EEG": "C4-M1",
        "EEG(sec)": "C3-M2",
        "EEG sec": "C3-M2",
        "EEG2": "C3-M2",
        "EOG(L)": "E1-PG1",
        "EOG(R)": "E2-PG1",
        "EMG": "Chin",
        "ECG": "ECG",
    },
    home="shhs",
    names=_SHHS_NAMES.stem,
    recordings=partial(recordings, _SHHS_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(
        ONE_SCORER,
        f"Scored by the rules of Rechtschaffen and Kales. {R_AND_K}",
        "Both visits of a person have the same number and stay in one split.",
        "EOG is sampled at 50 Hz (64 Hz in some files of visit 2); the range of the EEG is ±250 µV "
        "and that of the chin EMG ±62.5 µV, so large waves may be clipped in the files.",
    ),
)

_MESA_NAMES = Names("mesa", r"(?P<recording>mesa-sleep-(?P<subject>\d{4}))", "mesa-sleep-0001.edf")
MESA = Corpus(
    name="mesa",
    title="Multi-Ethnic Study of Atherosclerosis, sleep exam",
    terms=nsrr_terms(
        "mesa",
        Reference(
            "chen2015",
            ("Chen X",),
            "Racial/ethnic differences in sleep disturbances: the Multi-Ethnic Study of "
            "Atherosclerosis (MESA)",
            2015,
            "Sleep",
            "38",
            "6",
            "877-888",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="aasm",
    # nsrr/mesa-documentation, montage. Its names of EOG and chin channels (E1, Chin) differ from
    # those in the files; both are accepted.
    channels={
        "EEG1": "Fz-Cz",
        "EEG2": "Cz-Oz",
        "EEG3": "C4-M1",
        "EOG-L": "E1-Fpz",
        "EOG-R": "E2-Fpz",
        "E1": "E1-Fpz",
        "E2": "E2-Fpz",
        "EMG": "Chin",
        "Chin": "Chin",
        "EKG": "ECG",
    },
    home="mesa",
    names=_MESA_NAMES.stem,
    recordings=partial(recordings, _MESA_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(
        ONE_SCORER,
        R_AND_K,
        "The distributor replaced the files of 1013, 2852, 2934 and 3003 (events missing or of "
        "another person): use a download made after June 2018.",
    ),
    absent={
        f"mesa-sleep-{subject}": "total sleep time of the scoring contradicts the published "
        "variable (nsrr/mesa-documentation, known issues)"
        for subject in ("1738", "6476")
    },
)

# nsrr/mros-documentation lists these as wrongly staged without stating the visit; both visits are
# excluded.
_MROS_WRONG = (
    "aa2033", "aa3905", "aa4225", "aa4398", "aa4928", "aa5622", "aa5660", "aa5781",
)  # fmt: skip
_MROS_NAMES = Names(
    "mros",
    r"(?P<recording>mros-visit[12]-(?P<subject>aa\d{4}))",
    "mros-visit1-aa0001.edf",
)
MROS = Corpus(
    name="mros",
    title="Osteoporotic Fractures in Men Study, sleep visits 1 and 2",
    terms=nsrr_terms(
        "mros",
        Reference(
            "blackwell2011",
            ("Blackwell T",),
            "Associations between sleep architecture and sleep-disordered breathing "
            "and cognition in older community-dwelling men: the Osteoporotic Fractures in Men Sleep "
            "Study",
            2011,
            "J Am Geriatr Soc",
            "59",
            "12",
            "2217-2225",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="central",
    # nsrr/mros-documentation, equipment: all inputs are against Fpz, but six files of visit 1
    # contain derivations. Its table gives ROC as the left eye and LOC as the right one; the labels
    # are read literally (left outer canthus), as in CFS and every other corpus.
    channels={
        **AGAINST_FPZ,
        "C3-A2": "C3-M2",
        "C4-A1": "C4-M1",
        "L Chin": "Chin1-Fpz",
        "R Chin": "Chin2-Fpz",
        "L Chin-R Chin": "Chin1-Chin2",
        "ECG L": "ECG1-Fpz",
        "ECG R": "ECG2-Fpz",
        "ECG L-ECG R": "ECG1-ECG2",
    },
    home="mros",
    names=rf"{_MROS_NAMES.stem}|aa\d{{4}}",  # aa1950 has the form of initials and a year
    recordings=partial(recordings, _MROS_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(
        ONE_SCORER,
        R_AND_K,
        "Both visits of a person have the same number and stay in one split.",
        "The distributor's table and the labels disagree on which eye is left; the labels are used.",
    ),
    absent={
        f"mros-visit{visit}-{subject}": "wrong stages (nsrr/mros-documentation, known issues)"
        for subject in _MROS_WRONG
        for visit in (1, 2)
    },
)

# Only some releases have the family in the file names. It is never part of the recording's name
# here, so that names are the same for all releases.
_CFS_NAMES = Names(
    "cfs",
    r"(?P<recording>cfs-visit5-(?P<subject>\d{6}))(?:-famID(?P<family>\d+))?",
    "cfs-visit5-800002-famID715.edf",
)
CFS = Corpus(
    name="cfs",
    title="Cleveland Family Study, visit 5",
    terms=nsrr_terms(
        "cfs",
        Reference(
            "redline1995",
            ("Redline S",),
            "The familial aggregation of obstructive sleep apnea",
            1995,
            "Am J Respir Crit Care Med",
            "151",
            "3",
            "682-687",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="central",
    # nsrr/cfs-documentation, montage. The reference of chin and ECG inputs is not stated.
    channels={
        **AGAINST_FPZ,
        "EMG1": "Chin1-REF",
        "EMG2": "Chin2-REF",
        "EMG3": "Chin3-REF",
        "ECG1": "ECG1-REF",
        "ECG2": "ECG2-REF",
    },
    home="cfs",
    names=_CFS_NAMES.stem,
    recordings=partial(recordings, _CFS_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(
        ONE_SCORER,
        R_AND_K,
        "Relatives took part: a family stays in one split. In releases whose file names lack the "
        "family number this is impossible; there, each subject is split independently.",
    ),
)

_WSC_NAMES = Names(
    "wsc",
    r"(?P<recording>wsc-visit\d-(?P<subject>\d+))-nsrr",
    "wsc-visit1-10119-nsrr.edf",
    EANNOT_SCORING,
)
WSC = Corpus(
    name="wsc",
    title="Wisconsin Sleep Cohort",
    terms=nsrr_terms(
        "wsc",
        Reference(
            "young2009",
            ("Young T",),
            "Burden of sleep apnea: rationale, design, and major findings of the "
            "Wisconsin Sleep Cohort study",
            2009,
            "WMJ",
            "108",
            "5",
            "246-249",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="aasm",
    # nsrr/wsc-documentation, montage and sampling rate information: both recording systems. The
    # EOG is E1 against M2 and E2 against M1; a few files also have the opposite derivations.
    channels={
        "F3_M2": "F3-M2",
        "F4_M1": "F4-M1",
        "C3_M2": "C3-M2",
        "C4_M1": "C4-M1",
        "O1_M2": "O1-M2",
        "O2_M1": "O2-M1",
        "E1": "E1-M2",
        "E2": "E2-M1",
        "chin": "Chin",
        "cchin_l": "Chin",
        "ECG": "ECG",
    },
    home="wsc",
    names=r"wsc-visit\d-\d+",
    recordings=partial(recordings, _WSC_NAMES),
    read_hypnogram=eannot.read_hypnogram,
    notes=(
        "Scorings are the .eannot files of NSRR, one stage per 30 s from the signal's start; the "
        "laboratory's .stg.txt and .allscore.txt, which use clock times, are not read.",
        "Recordings from 2000 to 2009 are sampled at 100 Hz after a 30 Hz low-pass, including the "
        "chin EMG, whose level is below that of later recordings.",
        "All visits of a person have the same number and stay in one split.",
        "No file of this corpus was available when the reader was written.",
    ),
)

CORPORA = (SHHS, MESA, MROS, CFS, WSC, *nsrr_further.CORPORA)
