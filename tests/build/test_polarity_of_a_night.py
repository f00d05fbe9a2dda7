"""Polarity: build, check, preview, stage and baselines turn over the same nights, and say so."""

import numpy as np
import pytest
from builds import rows
from click.testing import CliRunner
from edfio import Edf, EdfSignal
from progress import Remembered
from psgimg.builder import lane_signals
from psgimg.builder.build import build
from psgimg.builder.check import check
from psgimg.builder.cli import command_line
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.preview import PreviewConfig, preview
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.unscored_night import open_night, pages
from tiny_lab import DESCRIPTION, describe

MINUTES, RATE_HZ = 8, 128
LABELS = {"EEG F4-A1": "F4-M1", "EEG C4-A1": "C4-M1", "EOG left": "E1-M2", "EMG chin": "Chin"}
NOTE = "stored upside down, as its blinks show; EEG and EOG are turned over"


def night_uv(seed, *, blinking=True):
    """Four lanes, awake, with blinks every three seconds in EEG and EOG."""
    rng = np.random.default_rng(seed)
    lanes = rng.normal(0, 12, (len(LABELS), MINUTES * 60 * RATE_HZ))
    t = np.arange(-1, 1, 1 / RATE_HZ)
    bell = np.exp(-((t / 0.12) ** 2))
    if blinking:
        for start in range(RATE_HZ, lanes.shape[1] - 3 * RATE_HZ, 3 * RATE_HZ):
            for lane, height in zip(lanes, (110, 40, 90), strict=False):
                lane[start : start + len(bell)] += height * bell
    return lanes


def write_night(path, lanes_uv):
    path.parent.mkdir(parents=True, exist_ok=True)
    Edf(
        [
            EdfSignal(
                lane, RATE_HZ, label=label, physical_dimension="uV", physical_range=(-500, 500)
            )
            for label, lane in zip(LABELS, lanes_uv, strict=True)
        ]
    ).write(path)
    epochs = ["Wake", "S2"] * MINUTES
    table = [f"{30 * i},30,{word}" for i, word in enumerate(epochs)]
    path.with_suffix(".csv").write_text("\n".join(["onset,duration,stage", *table]) + "\n")


def signed(lanes_uv):
    """The same night as a recorder that reverses EEG and EOG stores it."""
    return lanes_uv * np.array([[-1], [-1], [-1], [1]])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Three subjects: one night the right way up, the same one upside down, and one without blinks."""
    place = tmp_path_factory.mktemp("lab")
    upright = night_uv(1)
    write_night(place / "recordings" / "P001" / "night1.edf", upright)
    write_night(place / "recordings" / "P002" / "night1.edf", signed(upright[:, ::-1])[:, ::-1])
    write_night(place / "recordings" / "P003" / "night1.edf", night_uv(3, blinking=False))
    describe(place / "my-lab.yaml", channels=LABELS, montage="aasm")
    return place


def built(place, out, **options):
    path = place / options.pop("file", "my-lab.yaml")
    return build(BuildConfig((str(path),), (), out, **options), Remembered()).values


def turned(values):
    return {
        fact["subject"]: (fact["polarity"]["turned"], fact["polarity"]["by"])
        for fact in values["recordings"]
    }


def pictures(out, subject):
    return [row["image"]["bytes"] for row in rows(out) if row["subject"] == subject]


@pytest.fixture(scope="module")
def dataset(lab):
    out = lab / "out"
    return out, built(lab, out, trim_min=None)


def test_a_night_stored_upside_down_gives_the_pages_of_the_night(dataset):
    out, values = dataset
    assert turned(values) == {
        "P001": (False, "blinks"),
        "P002": (True, "blinks"),
        "P003": (False, ""),
    }
    assert pictures(out, "P002") == pictures(out, "P001") != pictures(out, "P003")


def test_the_counts_are_recorded_and_the_card_states_them(dataset):
    out, values = dataset
    facts = {fact["subject"]: fact for fact in values["recordings"]}
    sign = facts["P002"]["polarity"]
    assert sign["derivation"] == "F4-M1"
    assert (sign["blinks_up"], sign["votes_up"]) == (0, 0)
    assert sign["votes_down"] == facts["P001"]["polarity"]["votes_up"] >= 8
    assert [NOTE in facts[name]["notes"] for name in ("P001", "P002", "P003")] == [0, 1, 0]
    card = " ".join((out / "README.md").read_text(encoding="utf-8").split())
    assert "negative is up in EEG and EOG, positive in EMG" in card
    assert "1 of 3 stored upside down, as blinks show" in card
    assert "1 of 3 stored the right way up" in card
    assert "1 of 3 without a frontal EEG or enough blinks" in card
    assert "attenuated by 3 dB" in card


def test_check_with_signals_says_what_a_build_will_do(lab, dataset, tmp_path):
    config = BuildConfig((str(lab / "my-lab.yaml"),), (), tmp_path / "new", trim_min=None)
    planned, _ = check(config, Remembered(), signal=True)
    assert turned({"recordings": planned}) == turned(dataset[1])
    headers, _ = check(config, Remembered())
    assert all("polarity" not in fact for fact in headers)


@pytest.mark.parametrize("subject", ["P001", "P002", "P003"])
def test_preview_and_staging_draw_the_pages_of_the_dataset(lab, dataset, tmp_path, subject):
    out, values = dataset
    there = pictures(out, subject)
    path = lab / "recordings" / subject / "night1.edf"
    staged = pages(open_night(path, Recipe.from_dict(values["recipe"])))
    assert [png for _, png in staged] == there
    assert staged.polarity.turned == (subject == "P002")
    assert (NOTE in staged.notes) == (subject == "P002")
    of_file = PreviewConfig(path, epoch=5, out=tmp_path / "page.png")
    of_corpus = PreviewConfig(
        None, str(lab / "my-lab.yaml"), recording=f"{subject}-night1", epoch=5, out=of_file.out
    )
    for config in (of_file, of_corpus):
        page = preview(config)
        assert page.out.read_bytes() == there[5]
        assert (NOTE in page.notes) == (subject == "P002")


def test_baselines_see_the_turned_signals(lab, dataset):
    _, values = dataset
    keys = {("my-lab", f"{name}-night1") for name in ("P001", "P002")}
    here = lane_signals.on_disk({"my-lab"}, [], [str(lab / "my-lab.yaml")])
    origins = lane_signals.find(values, here, keys)
    first, second = (
        lane_signals.read(origins[key], sfreq_hz=100.0, filtered=False).pages_uv()
        for key in sorted(keys)
    )
    assert np.allclose(first, second, atol=0.05, equal_nan=True)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("recorded", {"P001": False, "P002": False, "P003": False}),
        ("inverted", {"P001": True, "P002": True, "P003": True}),
    ],
)
def test_the_user_may_disagree_and_the_recipe_and_the_command_record_it(
    lab, tmp_path, rule, expected
):
    values = built(lab, tmp_path / "out", trim_min=None, polarity=rule)
    assert {name: sign for name, (sign, _) in turned(values).items()} == expected
    assert values["recipe"]["polarity"] == values["fixed"]["recipe"]["polarity"] == rule
    assert f"--polarity {rule}" in values["command"]
    notes = {fact["subject"]: " ".join(fact["notes"]) for fact in values["recordings"]}
    assert ("may be stored upside down" in notes["P002"]) == (rule == "recorded")
    assert ("though its blinks pointed up" in notes["P001"]) == (rule == "inverted")
    path = lab / "recordings" / "P002" / "night1.edf"
    staged = pages(open_night(path, Recipe.from_dict(values["recipe"])))
    assert [png for _, png in staged] == pictures(tmp_path / "out", "P002")


def test_a_folder_built_by_one_rule_is_not_extended_by_another(lab, dataset):
    with pytest.raises(BuildError, match=r"built with different settings \(recipe\)"):
        built(lab, dataset[0], trim_min=None, polarity="recorded")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (True, {"P001": (False, "blinks"), "P002": (True, "blinks"), "P003": (True, "corpus")}),
        (
            ["P003-night1"],
            {"P001": (False, "blinks"), "P002": (True, "blinks"), "P003": (True, "corpus")},
        ),
        (False, {"P001": (False, "blinks"), "P002": (True, "blinks"), "P003": (False, "")}),
    ],
    ids=["all", "one", "none"],
)
def test_a_corpus_may_state_it_and_blinks_know_better(lab, tmp_path, stated, expected):
    describe(lab / "stated.yaml", channels=LABELS, montage="aasm", inverted=stated)
    values = built(lab, tmp_path / "out", file="stated.yaml", trim_min=None)
    assert turned(values) == expected
    assert values["corpora"]["my-lab"]["definition"]["inverted"] == stated
    if stated is True:
        notes = {fact["subject"]: " ".join(fact["notes"]) for fact in values["recordings"]}
        assert "blinks point up; not turned" in notes["P001"]


def test_a_misspelt_recording_and_a_wrong_value_are_refused(lab, tmp_path):
    describe(lab / "wrong.yaml", channels=LABELS, montage="aasm", inverted=["P009-night1"])
    with pytest.raises(BuildError, match=r"inverted names 'P009-night1', which is no recording"):
        built(lab, tmp_path / "out", file="wrong.yaml")
    describe(lab / "wrong.yaml", channels=LABELS, montage="aasm", inverted=3)
    with pytest.raises(BuildError, match=r"wrong\.yaml: inverted is 3; give text"):
        built(lab, tmp_path / "out", file="wrong.yaml")


def test_an_unknown_rule_is_refused_with_those_there_are():
    words = ["build", "--source", "demo", "--polarity", "upwards"]
    done = CliRunner().invoke(command_line(), words)
    assert done.exit_code == 2
    assert all(rule in done.output for rule in ("blinks", "recorded", "inverted"))
    with pytest.raises(BuildError, match=r"polarity 'upwards': use recorded, blinks, inverted"):
        BuildConfig(("demo",), polarity="upwards").recipe()


def test_no_corpus_of_psgimg_is_stated_to_be_upside_down():
    from psgimg.builder.corpora.registry import CORPORA

    assert not any(corpus.inverted for corpus in CORPORA.values())
    assert "inverted" not in DESCRIPTION
