"""One verdict: check, build, preview, stage and the baselines judge every channel alike.

Each kind of odd channel is written into a real file of a laboratory's corpus, and every command is
run on it.
"""

from dataclasses import asdict, dataclass, field, replace

import pytest
import tiny_lab
from builds import run
from edf_fields import set_field, set_record_s
from progress import Remembered
from psgimg.builder import lane_signals
from psgimg.builder.check import check
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.builder.preview import PreviewConfig, preview
from psgimg.builder.recordings.channels import standard_channels
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.unscored_night import open_night, pages
from tiny_edf import Channel, channels, night, write_psg

BIPOLAR = [
    *channels(["F4-M1", "F3-M2", "C4-M1", "O2-M1"], 128),
    *channels(["E1-M2", "E2-M2"], 50, "eog"),
    *channels(["Chin"], 128, "emg"),
]
REFERENTIAL = [
    *channels(["F4", "F3", "C4", "C3", "O2", "O1", "M1", "M2"], 128),
    *channels(["E1", "E2"], 128, "eog"),
    *channels(["Chin1", "Chin2"], 128, "emg"),
]
USUAL = ("F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2", "Chin")
PAIRS = ("F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2", "Chin1-Chin2")
NO_RANGE = {"pmin": "0", "pmax": "0"}
UNIT, RANGE, SLOW = "unit is not a voltage", "channel without range", "sampled too slowly"


@dataclass(frozen=True)
class Odd:
    """A recording with odd channels, and what every command must make of it.

    Parameters
    ----------
    fields
        Label of a channel to the header fields that are changed.
    rates_hz
        Label of a channel to its sampling rate, where it differs.
    lanes
        Derivations drawn; None for a lane that is absent. Empty if the recording can't be used.
    notes
        In order, what each note must contain; of a refusal, what its line must contain.
    """

    fields: dict = field(default_factory=dict)
    rates_hz: dict = field(default_factory=dict)
    inputs: tuple = tuple(BIPOLAR)
    lanes: tuple = ()
    notes: tuple = ()
    record_s: str = ""


def shown(*, base=USUAL, **changes):
    """The usual lanes with some changed, given by their names (None: absent)."""
    names = [lane.name for lane in MONTAGES["aasm"].lanes]
    return tuple(changes.get(name, each) for name, each in zip(names, base, strict=True))


ALL_EEG = ("F4-M1", "F3-M2", "C4-M1", "O2-M1")
ODD = {
    "nothing odd": Odd(lanes=USUAL),
    "an eye without range": Odd(
        {"E1-M2": NO_RANGE},
        lanes=shown(E1=None),
        notes=(f"lane E1 is absent: E1-M2 not usable ({RANGE})",),
    ),
    "a chin in %": Odd(
        {"Chin": {"unit": "%"}},
        lanes=shown(chin=None),
        notes=(f"lane chin is absent: Chin not usable ({UNIT})",),
    ),
    "an eye in degrees, a chin without digital range": Odd(
        {"E2-M2": {"unit": "deg"}, "Chin": {"dmin": "7", "dmax": "7"}},
        lanes=shown(E2=None, chin=None),
        notes=(f"E2-M2 not usable ({UNIT})", f"Chin not usable ({RANGE})"),
    ),
    "a limit that is not a number": Odd(
        {"C4-M1": {"pmax": "nan"}},
        lanes=shown(C4=None),
        notes=(f"lane C4 is absent: C4-M1 not usable ({RANGE})",),
    ),
    "the next derivation of a lane": Odd(
        {"F4-M1": {"pmin": "n/a"}},
        lanes=shown(F4="F3-M2"),
        notes=(f"lane F4 shows F3-M2: F4-M1 not usable ({RANGE})",),
    ),
    "both derivations of a lane": Odd(
        {"F4-M1": NO_RANGE, "F3-M2": {"unit": "mmHg"}},
        lanes=shown(F4=None),
        notes=(f"lane F4 is absent: F4-M1 not usable ({RANGE}), F3-M2 not usable ({UNIT})",),
    ),
    "an EEG of 1 Hz": Odd(
        rates_hz={"C4-M1": 1},
        lanes=shown(C4=None),
        notes=(f"lane C4 is absent: C4-M1 not usable ({SLOW})",),
    ),
    "eyes of 10 Hz": Odd(
        rates_hz={"E1-M2": 10, "E2-M2": 10},
        lanes=shown(E1=None, E2=None),
        notes=(f"E1-M2 not usable ({SLOW})", f"E2-M2 not usable ({SLOW})"),
    ),
    "a chin level of 1 Hz": Odd(
        {"Chin": {"pmin": "0", "pmax": "100"}}, rates_hz={"Chin": 1}, lanes=USUAL
    ),
    "an eye in mV, a chin without unit": Odd(
        {"E1-M2": {"unit": "mV", "pmin": "-0.5", "pmax": "0.5"}, "Chin": {"unit": ""}},
        lanes=USUAL,
        notes=("unit missing, µV assumed",),
    ),
    "an unused channel without anything": Odd(
        {"Pleth": {"unit": "", "pmin": "", "pmax": "", "dmin": "0", "dmax": "0"}},
        inputs=(*BIPOLAR, Channel("Pleth", 1, "other", "%")),
        lanes=USUAL,
    ),
    "one mastoid": Odd(
        {"M1": NO_RANGE},
        inputs=tuple(REFERENTIAL),
        lanes=shown(base=PAIRS, F4="F3-M2", C4="C3-M2", O2="O1-M2"),
        notes=tuple(f"shows {n}: " for n in ("F3-M2", "C3-M2", "O1-M2")),
    ),
    "one mastoid of another rate": Odd(
        rates_hz={"M2": 4},
        inputs=tuple(REFERENTIAL),
        lanes=shown(base=PAIRS, E1="E1-M1", E2="E2-M1"),
        notes=(f"lane E1 shows E1-M1: E1-M2 not usable ({SLOW})", "lane E2 shows E2-M1: "),
    ),
    "a chin whose second half is a level": Odd(
        rates_hz={"Chin2": 1},
        inputs=tuple(REFERENTIAL),
        lanes=shown(base=PAIRS, chin=None),
        notes=("lane chin is absent: Chin1-Chin2 not usable (level without waveform)",),
    ),
    "every EEG": Odd(
        {
            "F4-M1": {"unit": "%"},
            "F3-M2": {"unit": "%"},
            "C4-M1": NO_RANGE,
            "O2-M1": {"dmin": "0", "dmax": "0"},
        },
        notes=(
            "channel 'F4-M1' is in '%', not in V, mV or µV",
            f"also not usable: F3-M2 ({UNIT}), C4-M1 ({RANGE}), O2-M1 ({RANGE})",
        ),
    ),
    "every EEG of 1 Hz": Odd(
        rates_hz=dict.fromkeys(ALL_EEG, 1),
        notes=("channel 'F4-M1' has 1 samples per second, but EEG needs 32 or more",),
    ),
    "both mastoids": Odd(
        {"M1": {"unit": "%"}, "M2": {"unit": "%"}},
        inputs=tuple(REFERENTIAL),
        notes=("channel 'M1' is in '%'", f"F3-M2 ({UNIT}), C4-M1 ({UNIT})"),
    ),
    "records of 100,000 s": Odd(record_s="100000", notes=("night1",)),
}


SUBJECTS = {name: f"P{number:03d}" for number, name in enumerate(ODD, start=1)}


def write(path, odd, seed):
    inputs = [replace(c, sfreq_hz=odd.rates_hz.get(c.label, c.sfreq_hz)) for c in odd.inputs]
    write_psg(path, inputs, night(6, 3), seed=seed)
    for label, fields in odd.fields.items():
        for key, text in fields.items():
            set_field(path, label, key, text)
    if odd.record_s:
        set_record_s(path, odd.record_s)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The corpus file of a laboratory, with a recording of each odd kind."""
    room = tmp_path_factory.mktemp("lab")
    tiny_lab.write_lab(room / "recordings", len(ODD), minutes=3)
    for number, (name, subject) in enumerate(SUBJECTS.items()):
        write(room / "recordings" / subject / "night1.edf", ODD[name], number)
    labels = [c.label for odd in ODD.values() for c in odd.inputs]
    return tiny_lab.describe(
        room / "my-lab.yaml", channels=standard_channels(labels), montage="aasm"
    )


@pytest.fixture(scope="module")
def report(lab):
    return run(lab.parent / "built", lab.parent / "recordings", str(lab), trim_min=None)[0].values


@pytest.fixture(scope="module")
def dataset(lab, report):
    return lab.parent / "built"


def verdicts(recordings, set_aside):
    """Lanes and notes, or reason and detail, of each recording."""
    return {
        **{each["recording"]: (each["lanes"], each["notes"]) for each in recordings},
        **{each["recording"]: (each["reason"], each["detail"]) for each in set_aside},
    }


@pytest.fixture(scope="module")
def checked(lab):
    facts, aside = check(BuildConfig((str(lab),), (), trim_min=None), Remembered())
    return verdicts(facts, map(asdict, aside))


@pytest.fixture(scope="module")
def built(report):
    return verdicts(report["recordings"], report["set_aside"])


def previewed(config):
    page = preview(config)
    return [None if name == "absent" else name for _, name in page.lanes], list(page.notes)


def staged(edf):
    opened = open_night(edf, Recipe(MONTAGES["aasm"], load_style("clinical")))
    assert len(list(pages(opened))) == len(opened.epochs)
    return [d.name if d else None for d in opened.derivations], list(opened.notes)


def unscored(edf):
    """What previewing a file and staging it say."""
    out = edf.with_suffix(".png")
    return [lambda: previewed(PreviewConfig(edf, out=out)), lambda: staged(edf)]


def of_signals(lab, dataset, recording):
    here = lane_signals.on_disk(["my-lab"], (), [str(lab)])
    key = ("my-lab", recording)
    origin = lane_signals.find(build_report.read(dataset), here, [key])[key]
    return list(lane_signals.read(origin, sfreq_hz=100.0, filtered=True).signals.lanes)


@pytest.mark.parametrize("name", ODD)
def test_every_command_gives_the_same_lanes_and_notes_or_the_same_refusal(
    name, lab, dataset, checked, built, tmp_path
):
    odd, recording = ODD[name], f"{SUBJECTS[name]}-night1"
    edf = lab.parent / "recordings" / SUBJECTS[name] / "night1.edf"
    preview_of = PreviewConfig(None, str(lab), recording=recording, out=tmp_path / "page.png")
    assert built[recording] == checked[recording]
    if odd.lanes:
        lanes, notes = checked[recording]
        assert tuple(lanes) == odd.lanes
        assert len(notes) == len(odd.notes), notes
        assert all(part in note for part, note in zip(odd.notes, notes, strict=True)), notes
        assert not any("night1" in note for note in notes)
        assert previewed(preview_of) == checked[recording]
        assert [command() for command in unscored(edf)] == [checked[recording]] * 2
        assert of_signals(lab, dataset, recording) == lanes
        return
    line = ": ".join(checked[recording])
    assert "\n" not in line
    assert all(part in line for part in odd.notes), line
    for command in [lambda: previewed(preview_of), *unscored(edf)]:
        with pytest.raises(PsgimgError) as refused:
            command()
        assert str(refused.value).startswith(line)


@pytest.mark.parametrize(
    ("fields", "rate_hz", "lacks"),
    [
        ({"unit": "%"}, 128, "is in '%', not in V, mV or µV"),
        (NO_RANGE, 128, "physical 0..0"),
        ({}, 1, "has 1 samples per second"),
    ],
)
def test_a_channel_given_by_hand_that_cant_be_used_is_an_error(fields, rate_hz, lacks, tmp_path):
    path = tmp_path / "a.edf"
    inputs = [*channels(["F4-M1", "C4-M1"], 128), Channel("left eye", rate_hz, "eog")]
    write_psg(path, inputs, night(2))
    for key, text in fields.items():
        set_field(path, "left eye", key, text)
    recipe = Recipe(MONTAGES["aasm"], load_style("clinical"))
    with pytest.raises(BuildError, match=r"--channel E1=left eye can't be used: a\.edf") as refused:
        open_night(path, recipe, channels={"E1": "left eye"})
    assert lacks in str(refused.value)
