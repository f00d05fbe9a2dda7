"""Which lanes a reviewer is shown of a night that no model saw as pictures."""

import json

import pytest
from review_client import Review
from review_nights import write_staged
from tiny_edf import Channel, write_psg

CHANNELS = (
    Channel("EEG Fpz-Cz", 100),
    Channel("EOG horizontal", 100, "eog"),
    Channel("EMG submental", 100, "emg"),
)
GIVEN = {"C4-M1": "EEG Fpz-Cz"}


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "night.edf"
    write_psg(path, CHANNELS, [*"WWW112233RRW"])
    return path


@pytest.fixture
def from_signals(recording):
    """The night staged from signals, of which one was assigned."""
    folder = write_staged(recording)
    path = folder / "statistics.json"
    facts = json.loads(path.read_text()) | {"reads": "signals", "channels": GIVEN}
    del facts["recipe"], facts["recipe_hash"]
    path.write_text(json.dumps(facts))
    return folder


def lanes(*nights, **options):
    with Review(*nights, **options) as review:
        return [lane["derivation"] for lane in review.get("").json()["lanes"]]


def test_lanes_of_each_kind_come_before_the_default_montage_without_a_kind(recording, tmp_path):
    out = tmp_path / "review"
    assert lanes(recording, channels=GIVEN, out=out) == ["C4-M1", "EOGh", "Chin"]


def test_a_night_staged_from_signals_is_shown_with_the_channels_that_were_given(from_signals):
    assert lanes(from_signals) == ["C4-M1", "EOGh", "Chin"]


def test_another_montage_leaves_out_channels_that_were_given_for_other_lanes(from_signals):
    assert lanes(from_signals, montage="sleep-edf") == ["Fpz-Cz", None, "EOGh", "Chin"]
