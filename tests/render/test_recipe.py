"""Recipe: what is written down draws the same pages again, or is refused."""

import json
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.montage import MONTAGES, Kind
from psgimg.builder.render.recipe import VERSION, Recipe, digest
from psgimg.builder.render.style import PRESETS, LaneStyle
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.signals.filter_settings import AASM_BANDS, Band, Filters

RECIPE = Recipe(MONTAGES["central-ecg"], PRESETS["clinical"])


def through_json(recipe):
    return json.loads(json.dumps(recipe.to_dict()))


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("montage", MONTAGES.values(), ids=MONTAGES)
def test_every_montage_and_style_comes_back_from_json_as_it_was(montage, style):
    recipe = Recipe(montage, style)
    values = through_json(recipe)
    assert Recipe.from_dict(values) == recipe
    assert Recipe.from_dict(values).hash == recipe.hash == digest(values)


@given(
    low_hz=st.floats(0.01, 1),
    high_hz=st.one_of(st.integers(20, 90), st.floats(20, 90)),
    order=st.integers(2, 8),
    notch=st.booleans(),
    sfreq_hz=st.one_of(st.integers(200, 500), st.floats(200, 500)),
    style=st.sampled_from(list(PRESETS.values())),
)
def test_any_filters_and_rate_come_back_from_json_as_they_were(
    low_hz, high_hz, order, notch, sfreq_hz, style
):
    filters = Filters(
        ByKind({**AASM_BANDS, Kind.EEG: Band(low_hz, high_hz)}), order=order, notch=notch
    )
    recipe = Recipe(MONTAGES["central-ecg"], style, filters, sfreq_hz)
    assert Recipe.from_dict(through_json(recipe)) == recipe
    assert Recipe.from_dict(through_json(recipe)).hash == recipe.hash


def test_a_style_of_the_users_own_comes_back_with_whole_numbers_still_whole(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("grid_s: [1, 2.5]\ngrid: ['#eeeeee', '#cccccc']\neeg: {scale_uv: 75}\n")
    recipe = Recipe(MONTAGES["central"], load_style(str(path)))
    again = Recipe.from_dict(through_json(recipe))
    assert again == recipe
    assert again.hash == recipe.hash


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("version",), VERSION + 1, f"version is {VERSION + 1}.*draws version {VERSION}"),
        (("sfreq_hz",), "200", "recipe.sfreq_hz.*'200'"),
        (("style", "shade"), "#ffffff", "recipe.style: keys differ .shade"),
        (("style", "lanes", "eeg", "scale_uv"), True, "recipe.style.lanes.eeg.scale_uv.*True"),
        (("style", "line_px"), 99.0, "line_px 99; use 0.3 to 8"),
        (("style", "lanes", "emg"), None, "recipe.style.lanes.emg: keys differ .None"),
        (("montage", "lanes", 0, "kind"), "meg", "recipe.montage.lanes.kind.*'meg'.*newer psgimg"),
        (("style", "lanes", "resp"), {}, "recipe.style.lanes.*'resp'.*newer psgimg"),
        (("style", "lanes"), [], r"recipe.style.lanes.*\[\]"),
        (("style", "lanes"), {}, "style without ecg, a kind of lane in montage central-ecg"),
        (
            ("filters", "bands", "eeg", "high_hz"),
            120,
            "band of eeg ends at 120 Hz.*use at most 100 Hz",
        ),
        (("filters", "bands", "eeg", "low_hz"), 40, "eeg has a pass band from 40 to 35 Hz"),
        (("filters", "order"), 9, "filters of order 9; use 2 to 8"),
        (("montage", "lanes"), "C4", "recipe.montage.lanes.*'C4'"),
        (("filters", "order"), 4.0, r"recipe.filters.order.*4\.0"),
    ],
)
def test_values_that_no_recipe_wrote_are_refused_by_name(place, value, said):
    values = through_json(RECIPE)
    part = values
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(BuildError, match=said) as caught:
        Recipe.from_dict(values)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_lacks_a_value_is_refused():
    values = through_json(RECIPE)
    del values["filters"]["notch"]
    with pytest.raises(BuildError, match=r"recipe\.filters: keys differ .notch"):
        Recipe.from_dict(values)


HASHES = {
    ("aasm", "clinical"): "eefafde6de9b3616",
    ("aasm", "pediatric"): "c78f6d22e84149bb",
    ("aasm", "paper"): "c529fb5ed641fbd2",
    ("aasm", "sleepvlm"): "f50aba11c3a2b829",
    ("central", "clinical"): "fe41a65ce940fa43",
    ("central", "pediatric"): "6cf35d3276d41bba",
    ("central", "paper"): "1406385d6775d43a",
    ("central", "sleepvlm"): "9aa48547ef1ecc17",
    ("central-eeg", "clinical"): "9efb93f71665227a",
    ("central-eeg", "pediatric"): "60f63ef492c7be35",
    ("central-eeg", "paper"): "27b090e7ecbf1143",
    ("central-eeg", "sleepvlm"): "d88b4b8f597d93bc",
    ("central-ecg", "clinical"): "07015e9b68514e1c",
    ("central-ecg", "pediatric"): "c4890b05feb4fc0c",
    ("central-ecg", "paper"): "001d42792b92af0d",
    ("central-ecg", "sleepvlm"): "87737fe833af7699",
    ("sleep-edf", "clinical"): "c1a5f8f033186386",
    ("sleep-edf", "pediatric"): "6ac50bf7700745b9",
    ("sleep-edf", "paper"): "4e5e2299674f5a75",
    ("sleep-edf", "sleepvlm"): "d044c6d7d695b1c2",
    ("boas", "clinical"): "2df7840d228f04a1",
    ("boas", "pediatric"): "07e2231d100b6e27",
    ("boas", "paper"): "d4fcd55de1c2f8a8",
    ("boas", "sleepvlm"): "a2d01dffe745d2b3",
    ("cap", "clinical"): "478930b36424e1f8",
    ("cap", "pediatric"): "b8c1243945c52131",
    ("cap", "paper"): "434b7f0a1aa3eda6",
    ("cap", "sleepvlm"): "a430ac23f42e40c3",
}
"""A hash that changes makes every dataset and model of its recipe one of other pages."""


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("montage", MONTAGES.values(), ids=MONTAGES)
def test_the_recipes_that_come_with_psgimg_stay_what_they_are(montage, style):
    assert Recipe(montage, style).hash == HASHES[montage.name, style.name]


def test_a_recipe_keeps_the_kinds_of_lane_that_it_draws():
    recipe = Recipe(MONTAGES["aasm"], PRESETS["clinical"])
    assert list(recipe.style.lanes) == list(recipe.filters.bands) == [Kind.EEG, Kind.EOG, Kind.EMG]
    values = through_json(recipe)
    assert (
        list(values["style"]["lanes"]) == list(values["filters"]["bands"]) == ["eeg", "eog", "emg"]
    )


@pytest.mark.parametrize(("montage", "same"), [("aasm", True), ("central-ecg", False)])
def test_how_a_kind_is_drawn_is_nothing_to_a_montage_without_it(montage, same):
    clinical, heart = PRESETS["clinical"], LaneStyle(scale_uv=500.0, colours=("#ff0000",))
    style = replace(clinical, lanes=ByKind({**clinical.lanes, Kind.ECG: heart}))
    filters = Filters(ByKind({**AASM_BANDS, Kind.ECG: Band(1.0, 40.0)}))
    ours, theirs = Recipe(MONTAGES[montage], clinical), Recipe(MONTAGES[montage], style, filters)
    assert (ours.hash == theirs.hash) is same
    assert (ours == theirs) is same


def test_recipes_are_values():
    again = pickle.loads(pickle.dumps(RECIPE))
    assert again == RECIPE
    assert hash(again) == hash(RECIPE)
    assert len({RECIPE, again}) == 1
    turned = ByKind(dict(reversed(list(AASM_BANDS.items()))))
    assert list(turned) == list(AASM_BANDS) == list(Kind)
    assert (turned, hash(turned)) == (AASM_BANDS, hash(AASM_BANDS))


def test_a_recipe_of_an_older_form_names_the_psgimg_that_is_needed():
    values = {**through_json(RECIPE), "version": 1}
    with pytest.raises(BuildError, match=r"version is 1.*install the psgimg that wrote the recipe"):
        Recipe.from_dict(values)
