"""NSRR further: CCSHS, CHAT, SOF, ABC and HomePAP of the National Sleep Research Resource.

Only data, from the pages that nsrr/*-documentation has on montages, and from the lists of all files in
SLEEPYLAND (biomedical-signal-processing/sleepyland, ``nsrr_file_path``). STAGES is left out:
the sources known to us do not agree on the names and the form of its scorings.
"""

from __future__ import annotations

from functools import partial

from psgimg.builder.citing.reference import Reference
from psgimg.builder.corpora.nsrr.nsrr_common import AGAINST_FPZ, ONE_SCORER, R_AND_K, nsrr_terms
from psgimg.builder.corpora.nsrr.nsrr_reader import Names, read_hypnogram, recordings
from psgimg.builder.recordings.recording import Corpus

_UNSEEN = "No file of this corpus was available when the reader was written."
_SAME_SPLIT = "All nights of a person have the same number and stay in one split."

_SCALP_AGAINST_FPZ: dict[str, str] = {
    **{electrode: f"{electrode}-Fpz" for electrode in ("F3", "F4", "O1", "O2")},
    **AGAINST_FPZ,
}

_CCSHS_NAMES = Names(
    "ccshs", r"(?P<recording>ccshs-trec-(?P<subject>\d{7}))", "ccshs-trec-1800001.edf"
)
CCSHS = Corpus(
    name="ccshs",
    title="Cleveland Children's Sleep and Health Study",
    terms=nsrr_terms(
        "ccshs",
        Reference(
            "rosen2003",
            ("Rosen CL",),
            "Prevalence and risk factors for sleep-disordered breathing in 8- to 11-year-old children: "
            "association with race and prematurity",
            2003,
            "J Pediatr",
            "142",
            "4",
            "383-389",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="central",
    # nsrr/ccshs-documentation, montage: EMG1 is the chin's centre, EMG2 its left and EMG3 its right.
    channels={
        **AGAINST_FPZ,
        "EMG1": "Chin1-Fpz",
        "EMG2": "Chin2-Fpz",
        "EMG3": "Chin3-Fpz",
        "ECG1": "ECG1-Fpz",
        "ECG2": "ECG2-Fpz",
    },
    home="ccshs",
    names=rf"{_CCSHS_NAMES.stem}|\d{{7}}",
    recordings=partial(recordings, _CCSHS_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(ONE_SCORER, R_AND_K, "Adolescents, of the visit TREC.", _UNSEEN),
)

_CHAT_NAMES = Names(
    "chat",
    r"(?P<recording>chat-(?:(?:baseline|followup)(?:-nonrandomized)?|nonrandomized)"
    r"-(?P<subject>\d{6}))",
    "chat-baseline-300001.edf",
)
CHAT = Corpus(
    name="chat",
    title="Childhood Adenotonsillectomy Trial",
    terms=nsrr_terms(
        "chat",
        Reference(
            "redline2011",
            ("Redline S",),
            "The Childhood Adenotonsillectomy Trial (CHAT): rationale, design, and challenges of a "
            "randomized controlled trial evaluating a standard surgical procedure in a pediatric "
            "population",
            2011,
            "Sleep",
            "34",
            "11",
            "1509-1517",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="aasm",
    # nsrr/chat-documentation, montage: the reference electrode is FPz; derivations such as F4-M1 are
    # those of scoring. The chin is scored as its left against its centre.
    channels={
        **_SCALP_AGAINST_FPZ,
        "Lchin": "Chin1-Fpz",
        "Cchin": "Chin2-Fpz",
        "Rchin": "Chin3-Fpz",
        "ECG1": "ECG1-Fpz",
        "ECG2": "ECG2-Fpz",
    },
    home="chat",
    names=rf"{_CHAT_NAMES.stem}|\d{{6}}",
    recordings=partial(recordings, _CHAT_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(
        ONE_SCORER,
        R_AND_K,
        "Children of 5 to 9.9 years, before and seven months after randomisation, and others who were "
        "not randomised.",
        _SAME_SPLIT,
        _UNSEEN,
    ),
)

_SOF_NAMES = Names("sof", r"(?P<recording>sof-visit-8-(?P<subject>\d{5}))", "sof-visit-8-00026.edf")
SOF = Corpus(
    name="sof",
    title="Study of Osteoporotic Fractures, visit 8",
    terms=nsrr_terms(
        "sof",
        Reference(
            "nsrr-sof",
            (),
            "Study of Osteoporotic Fractures",
            publisher="National Sleep Research Resource",
            url="https://sleepdata.org/datasets/sof",
        ),
    ),
    mains_hz=60.0,
    montage="central",
    # nsrr/sof-documentation, montage.
    channels={
        **AGAINST_FPZ,
        "L Chin": "Chin1-Fpz",
        "R Chin": "Chin2-Fpz",
        "ECG1": "ECG1-Fpz",
        "ECG2": "ECG2-Fpz",
    },
    home="sof",
    names=rf"{_SOF_NAMES.stem}|\d{{5}}",
    recordings=partial(recordings, _SOF_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(ONE_SCORER, R_AND_K, "Women of 65 years or more.", _UNSEEN),
)

_ABC_NAMES = Names(
    "abc",
    r"(?P<recording>abc-(?:baseline|month09|month18)-(?P<subject>\d{6}))",
    "abc-baseline-900001.edf",
)
ABC = Corpus(
    name="abc",
    title="Apnea, Bariatric surgery, and CPAP study",
    terms=nsrr_terms(
        "abc",
        Reference(
            "bakker2018",
            ("Bakker JP",),
            "Gastric Banding Surgery versus Continuous Positive Airway Pressure for Obstructive Sleep "
            "Apnea: A Randomized Controlled Trial",
            2018,
            "Am J Respir Crit Care Med",
            "197",
            "8",
            "1080-1083",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="aasm",
    # nsrr/abc-documentation, montage: Chin1 is the chin's centre, Chin2 its left and Chin3 its right.
    channels={
        **_SCALP_AGAINST_FPZ,
        "Chin1": "Chin1-Fpz",
        "Chin2": "Chin2-Fpz",
        "Chin3": "Chin3-Fpz",
        "ECG1": "ECG1-Fpz",
        "ECG2": "ECG2-Fpz",
    },
    home="abc",
    names=rf"{_ABC_NAMES.stem}|\d{{6}}",
    recordings=partial(recordings, _ABC_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(
        ONE_SCORER,
        R_AND_K,
        "Patients with severe sleep apnoea, some nights under CPAP.",
        "For non-commercial use only, as its distributor states.",
        _SAME_SPLIT,
        _UNSEEN,
    ),
)

_HOMEPAP_NAMES = Names(
    "homepap",
    r"(?P<recording>homepap-lab-(?:full|split)-(?P<subject>\d{7}))",
    "homepap-lab-full-1600001.edf",
)
HOMEPAP = Corpus(
    name="homepap",
    title="Home Positive Airway Pressure study, nights in the laboratory",
    terms=nsrr_terms(
        "homepap",
        Reference(
            "rosen2012",
            ("Rosen CL",),
            "A multisite randomized trial of portable sleep studies and positive airway pressure "
            "autotitration versus laboratory-based polysomnography for the diagnosis and treatment of "
            "obstructive sleep apnea: the HomePAP study",
            2012,
            "Sleep",
            "35",
            "6",
            "757-767",
            et_al=True,
        ),
    ),
    mains_hz=60.0,
    montage="aasm",
    # nsrr/homepap-documentation, montage: recorded to reference (FPz), in some sites as derivations.
    channels={
        **_SCALP_AGAINST_FPZ,
        **{f"{electrode}-M1": f"{electrode}-M1" for electrode in ("F4", "C4", "O2", "E2")},
        **{f"{electrode}-M2": f"{electrode}-M2" for electrode in ("F3", "C3", "O1", "E1")},
        "Chin": "Chin",
        "Lchin-Cchin": "Chin",
        "ECG": "ECG",
    },
    home="homepap",
    names=rf"{_HOMEPAP_NAMES.stem}|\d{{7}}",
    recordings=partial(recordings, _HOMEPAP_NAMES),
    read_hypnogram=read_hypnogram,
    notes=(
        ONE_SCORER,
        R_AND_K,
        "Sites differ in montage. A label with an electrode alone is taken as against Fpz, as the "
        "protocol states.",
        "In split nights (homepap-lab-split) the second part is under CPAP. Nights at home have no "
        "EEG and are not listed.",
        _UNSEEN,
    ),
)

CORPORA = (CCSHS, CHAT, SOF, ABC, HOMEPAP)
