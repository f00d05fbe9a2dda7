"""Style: the presets are valid, and a user's file is obeyed or refused in one clear line."""

from dataclasses import replace

import pytest
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import MONTAGES, Kind
from psgimg.builder.render.layout import boxes
from psgimg.builder.render.style import CLINICAL, PAPER, PEDIATRIC, PRESETS, SLEEPVLM, colour
from psgimg.builder.render.style_choice import load_style


@pytest.fixture
def style_file(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_found_by_its_name(name):
    assert load_style(name) is PRESETS[name]
    assert PRESETS[name].name == name


def test_presets_have_the_sizes_they_are_known_by():
    sizes = {name: (style.width_px, style.height_px) for name, style in PRESETS.items()}
    assert sizes == {
        "clinical": (896, 448),
        "pediatric": (896, 448),
        "paper": (336, 336),
        "sleepvlm": (448, 224),
    }


def test_clinical_fits_the_visual_tokens_of_28_and_32_pixels():
    for patch in (28, 32):
        assert CLINICAL.width_px % patch == CLINICAL.height_px % patch == 0


def test_clinical_guides_are_75_uv_apart_on_eeg_only():
    assert 2 * CLINICAL.lane(Kind.EEG).guide_uv == 75
    assert (
        CLINICAL.lane(Kind.EOG).guide_uv
        == CLINICAL.lane(Kind.EMG).guide_uv
        == CLINICAL.lane(Kind.ECG).guide_uv
        == 0
    )


def test_pediatric_has_room_for_the_slow_waves_of_children_and_is_clinical_otherwise():
    lanes = {kind: PEDIATRIC.lane(kind) for kind in (Kind.EEG, Kind.EOG)}
    assert all(2 * lane.scale_uv >= 400 for lane in lanes.values())
    assert lanes[Kind.EEG].guide_uv == 37.5
    same = replace(PEDIATRIC, name="clinical", lanes=CLINICAL.lanes)
    assert same == CLINICAL


def test_sleepvlm_has_the_published_inks_and_lines():
    inks = [SLEEPVLM.lane(kind).colours for kind in (Kind.EEG, Kind.EOG, Kind.EMG)]
    assert inks == [("#ffff00", "#00ff00", "#ff0000"), ("#00ffff", "#ff00ff"), ("#0000ff",)]
    assert (SLEEPVLM.rule, SLEEPVLM.grid) == ("#404040", ("#404040", "#404040"))


def test_presets_differ_in_ink():
    assert (CLINICAL.grey, PAPER.grey, SLEEPVLM.grey) == (True, True, False)


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
def test_greys_of_the_presets_are_among_the_16_that_are_stored(style):
    if style.grey:
        assert {colour(ink)[0] % 17 for ink in style.inks} == {0}


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("montage", MONTAGES.values(), ids=MONTAGES)
def test_lanes_fill_the_page_without_gap_or_overlap(style, montage):
    lanes = boxes(style, montage)
    assert [lane.top for lane in lanes] == [0, *(lane.bottom for lane in lanes[:-1])]
    assert lanes[-1].bottom == style.height_px


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
def test_each_kind_of_lane_has_a_style_in_every_preset(style):
    assert list(style.lanes) == list(Kind)


def test_a_file_says_which_way_is_up_for_each_kind(style_file):
    style = load_style(style_file("base: sleepvlm\neeg: {up: negative}\n"))
    assert (style.lane(Kind.EEG).up, style.lane(Kind.EOG).up) == ("negative", "positive")


def test_a_file_changes_what_it_names_and_keeps_the_rest(style_file):
    path = style_file("base: clinical\nline_px: 2\ngrid_s: [1]\ngrid: ['#eeeeee']\n")
    style = load_style(path)
    assert (style.name, style.line_px, style.grid_s, style.grid) == (
        "mine",
        2.0,
        (1,),
        ("#eeeeee",),
    )
    assert (style.lane(Kind.EEG), style.width_px) == (CLINICAL.lane(Kind.EEG), CLINICAL.width_px)


def test_a_file_changes_one_value_of_one_kind_of_lane(style_file):
    style = load_style(style_file("base: clinical\neeg: {scale_uv: 75}\n"))
    assert style.lane(Kind.EEG).scale_uv == 75.0
    assert (style.lane(Kind.EEG).weight, style.lane(Kind.EEG).guide_uv) == (
        CLINICAL.lane(Kind.EEG).weight,
        CLINICAL.lane(Kind.EEG).guide_uv,
    )
    assert style.lane(Kind.EOG) == CLINICAL.lane(Kind.EOG)


def test_without_a_base_a_file_starts_from_clinical(style_file):
    assert load_style(style_file("width_px: 1120\n")).lane(Kind.EEG) == CLINICAL.lane(Kind.EEG)
    assert load_style(style_file("base: sleepvlm\nclip: true\n")).background == "#000000"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lanes: {eeg: {scale_uv: 75}}\n", ["'lanes'", "eeg"]),
        ("width_px: 0440\n", ["line 1: YAML reads", "quotes"]),
        ("ink: black\n", ["'ink'", "use background, clip,"]),
        ("eeg: {scale: 75}\n", ["eeg", "'scale'", "scale_uv"]),
        ("base: modern\n", ["base", "clinical, pediatric, paper, sleepvlm"]),
        ("line_px: thick\n", ["line_px", "'thick'", "1.0"]),
        ("line_px: 20\n", ["line_px 20", "0.3 to 8"]),
        ("clip: 1\n", ["clip", "1", "True"]),
        ("width_px: 10\n", ["10x448", "16 to 4096"]),
        ("scaling: night\n", ["'night'", "fixed or epoch"]),
        ("grid_s: [1]\n", ["grid_s", "grid"]),
        ("grid_over: [0.5]\n", ["grid_over", "one per step"]),
        ("grid_over: [0.5, 2]\n", ["2", "up to 1"]),
        ("rule_over: -0.5\n", ["-0.5", "rule_over", "up to 1"]),
        ("eeg: {scale_uv: 0}\n", ["eeg", "scale_uv"]),
        ("eog: {up: down}\n", ["eog", "up 'down'", "positive or negative"]),
        ("up: negative\n", ["'up'"]),
        ("eeg: 75\n", ["eeg", "75"]),
        ("- line_px\n", ["key: value"]),
        ("line_px: [1\n", ["style file"]),
        ("", ["key: value"]),
    ],
)
def test_a_bad_file_is_refused_in_one_line_with_what_is_allowed(style_file, text, parts):
    with pytest.raises(BuildError) as caught:
        load_style(style_file(text))
    message = str(caught.value)
    assert "\n" not in message
    assert "mine" in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    "text",
    [
        "background: white\n",
        "eeg: {colours: [red]}\n",
        "eeg: {colours: [1]}\n",
        "grid: [1, 2]\n",
        "grid_s: [a, b]\n",
        "grid_s: [.nan, 5]\n",
        "grid_s: [0.000001, 5]\n",
        "base: [clinical]\n",
        "eeg: {scale_uv: .nan}\n",
        "eeg: {scale_uv: .inf}\n",
        "eeg: {weight: .inf}\n",
        "eeg: {guide_uv: -5}\n",
        "envelope_uv: 0\n",
    ],
)
def test_values_of_the_right_type_that_make_no_sense_are_refused(style_file, text):
    with pytest.raises(BuildError, match="mine"):
        load_style(style_file(text))


@pytest.mark.parametrize("name", ["modern", "style.json", "absent.yaml"])
def test_a_missing_style_is_refused_by_name(name):
    with pytest.raises(BuildError, match=name):
        load_style(name)


def test_lanes_too_low_to_draw_in_are_refused(style_file):
    style = load_style(style_file("height_px: 32\n"))
    with pytest.raises(BuildError, match=r"lane .* would be \d px high, the minimum is 8"):
        boxes(style, MONTAGES["aasm"])


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ("scaling=epoch", "scaling", "epoch"),
        ("width_px=448", "width_px", 448),
        ("line_px=2", "line_px", 2.0),
        ("clip=false", "clip", False),
        ("rule=", "rule", ""),
        ("background=#000000", "background", "#000000"),
        ("renderer=matplotlib", "renderer", "matplotlib"),
    ],
)
@pytest.mark.parametrize("base", PRESETS)
def test_a_preset_with_a_change_differs_in_that_alone(base, changes, key, value):
    changed = load_style(f"{base}:{changes}")
    assert changed == replace(PRESETS[base], name=f"{base}:{changes}", **{key: value})


def test_changes_are_those_of_a_file_with_the_same_values(style_file):
    """Lists and lanes of a kind too."""
    spec = load_style(
        "sleepvlm:grid_s=2+10,grid=#111111+#222222,eeg.scale_uv=75,eeg.colours=#ff0000"
    )
    path = style_file(
        "base: sleepvlm\ngrid_s: [2.0, 10.0]\ngrid: ['#111111', '#222222']\n"
        "eeg: {scale_uv: 75, colours: ['#ff0000']}\n"
    )
    assert replace(spec, name="") == replace(load_style(path), name="")
    plain = load_style("clinical:grid_s=,grid=")
    assert (plain.grid_s, plain.grid) == ((), ())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("modern:scaling=epoch", ["modern:scaling=epoch", "clinical, pediatric, paper, sleepvlm"]),
        ("clinical:", ["'clinical:'", "clinical:scaling=epoch"]),
        ("clinical:scaling", ["clinical:scaling=epoch"]),
        ("clinical:scaling=night", ["'night'", "fixed or epoch"]),
        ("clinical:scaling=epoch,", ["''", "key=value"]),
        ("clinical:scale=epoch", ["'scale'", "scaling"]),
        ("clinical:name=mine", ["'name'", "use background"]),
        ("clinical:width_px=4.5", ["width_px", "'4.5'", "896"]),
        ("clinical:width_px=1,width_px=2", ["width_px", "twice"]),
        ("clinical:width_px.a=1", ["width_px", "'a'"]),
        ("clinical:eeg=75", ["eeg", "eeg.scale_uv=75"]),
        ("clinical:eeg.scale=75", ["eeg", "'scale'", "scale_uv"]),
        ("clinical:clip=no", ["clip", "'no'", "true or false"]),
        ("clinical:grid_s=1+a", ["grid_s", "'a'", "joined by +"]),
        ("clinical:grid_s=1", ["1 steps", "2 inks"]),
        ("clinical:line_px=nan", ["line_px nan", "0.3 to 8"]),
        ("mine.yaml:scaling=epoch", ["mine.yaml:scaling=epoch", "base must be one of clinical"]),
    ],
)
def test_a_bad_change_is_refused_in_one_line_with_what_is_allowed(name, parts):
    with pytest.raises(BuildError) as caught:
        load_style(name)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
