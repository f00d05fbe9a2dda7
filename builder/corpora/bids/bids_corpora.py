"""BIDS corpora: any BIDS dataset, and BOAS, which psgimg knows."""

from __future__ import annotations

from functools import partial

from psgimg.builder.citing.reference import Reference
from psgimg.builder.corpora.bids import bids_layout, bids_scoring, sidecars
from psgimg.builder.corpora.bids.bids_form import BidsForm
from psgimg.builder.recordings.recording import Corpus, Policy, Terms
from psgimg.builder.stages import Stage, Unscored

ANY = BidsForm("bids")

# The consensus of three scorers is in stage_hum; that of a program, which is no person, is the second.
# 8 is a disconnection; the program writes -2.
BOAS_FORM = BidsForm(
    "boas",
    columns=("stage_hum", "stage_ai"),
    person="pid",
    acq="psg",
    stages={
        **{str(int(stage)): stage for stage in Stage},
        "8": Unscored.UNSCORED,
        "-2": Unscored.UNSCORED,
    },
    # All EEG is against M1, also F3, C3 and O1 on its own side.
    channels={
        **{f"PSG_{name}": f"{name}-M1" for name in ("F3", "F4", "C3", "C4", "O1", "O2")},
        "PSG_EOGL": "E1-M1",
        "PSG_EOGR": "E2-M1",
        "PSG_EOG": "EOGh",
        "PSG_EMG": "Chin",
    },
    mains_hz=50.0,
    sidecars=False,
    short=True,
)

BIDS = Corpus(
    name="bids",
    title="EEG-BIDS dataset with sleep stages",
    terms=Terms(
        policy=Policy.RESTRICTED,
        licence="that of the dataset, in its dataset_description.json",
        licence_url="https://bids.neuroimaging.io/",
        access=(
            "By dataset, such as from https://openneuro.org or https://nemar.org; --root is the folder "
            "with dataset_description.json."
        ),
        citation="That of the dataset, in its dataset_description.json.",
    ),
    mains_hz=sidecars.DEFAULT_MAINS_HZ,
    montage="aasm",
    channels={},
    home="bids",
    names=bids_layout.NAMES,
    recordings=partial(bids_layout.recordings, ANY),
    read_hypnogram=partial(bids_scoring.read_hypnogram, ANY),
    inputs=partial(sidecars.inputs, ANY),
    notes=(
        "The terms of a dataset that psgimg does not know are unknown, so it counts as restricted.",
        "Reference and mains frequency are those that the sidecars of each recording state.",
    ),
)

BOAS = Corpus(
    name="boas",
    title="Bitbrain Open Access Sleep dataset (BOAS), OpenNeuro ds005555",
    terms=Terms(
        policy=Policy.OPEN,
        licence="CC0-1.0",
        licence_url="https://openneuro.org/datasets/ds005555",
        access="Open, without login: https://openneuro.org/datasets/ds005555.",
        references=(
            Reference(
                "ds005555",
                ("Lopez-Larraz E",),
                "Bitbrain Open Access Sleep Dataset",
                et_al=True,
                publisher="OpenNeuro, ds005555",
                url="https://openneuro.org/datasets/ds005555",
            ),
        ),
    ),
    mains_hz=50.0,
    montage="boas",
    channels=BOAS_FORM.channels,
    home="ds005555",
    names=r"sub-\d{1,3}|pid-\d{1,4}",
    recordings=partial(bids_layout.recordings, BOAS_FORM),
    read_hypnogram=partial(bids_scoring.read_hypnogram, BOAS_FORM),
    scorers=("stage_hum", "stage_ai"),
    notes=(
        "Labels are the consensus of three scorers; where they disagreed, a fourth decided. The second "
        "scorer is a program (stage_ai), not a person.",
        "128 nights of 108 people: a person is pid in participants.tsv, not sub-.",
        "All EEG is recorded against M1. 102 nights have one bipolar eye channel, whose polarity is not "
        "stated; 26 have both eyes, drawn as their difference.",
        "The nights of the headband that was worn at the same time are not used.",
        "No signal of this corpus was available when the reader was written.",
    ),
)

CORPORA = (BIDS, BOAS)
