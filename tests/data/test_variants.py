"""Variants in training: which picture of a page is shown, and what a model's folder says of it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import build_report, prompts
from psgimg.builder.dataset.config import BuildConfig

pytest.importorskip("torch")
pytest.importorskip("trl")

from psgimg.builder.errors import BuildError
from psgimg.builder.files import picture
from psgimg.finetune import sft
from psgimg.finetune.data import page_set
from psgimg.finetune.data.augment import Augmented
from psgimg.finetune.data.context import Context
from psgimg.finetune.data.variants import Looks
from psgimg.finetune.models.manifest import ModelFolder

PROMPT = prompts.load("closed")
SPECS = ("noise:snr_db=-20", "scale:factor=0.1")

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two nights for training, of which each page has two variants."""
    folder = tmp_path_factory.mktemp("varied")
    tiny.write_hmc(folder / "corpus", n_subjects=2, minutes=4)
    (folder / "small.yaml").write_text("{base: clinical, width_px: 128, height_px: 96}")
    config = BuildConfig(
        ("hmc",),
        (str(folder / "corpus"),),
        folder / "out",
        style=str(folder / "small.yaml"),
        trim_min=None,
        splits="100/0/0",
        variants=SPECS,
    )
    build(config, Remembered())
    return folder / "out"


@pytest.fixture
def pages(dataset):
    return page_set.load(str(dataset), None, "train")


def pictures_of(dataset, column):
    tables = [pq.read_table(path) for path in sorted(dataset.glob("data/*/*.parquet"))]
    files = [one["bytes"] for table in tables for one in table[column].to_pylist()]
    return [np.asarray(picture.decode(file)) for file in files]


def shown(looks, n_pass, seed=0, how="none", context=0):
    """Which picture each position of a pass shows."""
    rows = looks.sets[0].rows
    augmented = Augmented(looks, lambda _: rows, PROMPT, Context(context), how, seed)
    augmented.on_epoch_begin(None, SimpleNamespace(epoch=float(n_pass)), None)
    found = augmented.chat({"images": list(range(len(rows)))})["images"]
    return [[np.asarray(image) for image in images] for images in found]


def test_each_page_is_shown_as_recorded_or_as_one_of_its_variants_equally_often(dataset, pages):
    looks = Looks.of(pages, varied=True)
    columns = [pictures_of(dataset, name) for name in ("image", "variant_1", "variant_2")]
    counts = np.zeros(3, int)
    for n_pass in range(12):
        for row, [image] in enumerate(shown(looks, n_pass)):
            same = [np.array_equal(image, column[row]) for column in columns]
            assert sum(same) == 1
            counts += same
    n_shown = 12 * len(pages)
    assert counts.sum() == n_shown
    assert np.abs(counts - n_shown / 3).max() < 3 * np.sqrt(n_shown * 2 / 9)


def test_what_is_shown_hangs_on_seed_pass_and_place_alone(pages):
    looks = Looks.of(pages, varied=True)

    def equal(one, other):
        return [np.array_equal(a, b) for [a], [b] in zip(one, other, strict=True)]

    first = shown(looks, 1)
    assert all(equal(first, shown(looks, 1)))
    assert not all(equal(first, shown(looks, 2)))
    assert not all(equal(first, shown(looks, 1, seed=1)))


def test_neighbours_look_like_the_page_and_lanes_are_left_out_of_variants_too(dataset, pages):
    looks = Looks.of(pages, varied=True)
    columns = [pictures_of(dataset, name) for name in ("image", "variant_1", "variant_2")]
    for images in shown(looks, 0, context=1):
        among = [
            {i for i, column in enumerate(columns) if any(np.array_equal(image, p) for p in column)}
            for image in images
        ]
        assert len(set.intersection(*among)) == 1
    plain = shown(looks, 0)
    covered = shown(looks, 0, how="lanes")
    changed = [not np.array_equal(a, b) for [a], [b] in zip(plain, covered, strict=True)]
    assert any(changed)
    assert not all(changed)


def test_without_variants_pages_are_those_recorded(dataset, pages):
    looks = Looks.of(pages, varied=False)
    assert looks.specs == ()
    assert looks.line() == "variants          not shown (--variants false)"
    for [image], plain in zip(shown(looks, 0), pictures_of(dataset, "image"), strict=True):
        np.testing.assert_array_equal(image, plain)


def test_a_recording_without_variants_is_always_shown_as_recorded(dataset, pages):
    build = build_report.read(dataset)
    first = next(i for i, one in enumerate(build["recordings"]))
    del build["recordings"][first]["variants"]
    bare = replace(pages, source=replace(pages.source, build=build))
    looks = Looks.of(bare, varied=True)
    assert sorted(looks.n_looks.tolist()) == [1, 3]
    own = bare.index.recording == int(np.flatnonzero(looks.n_looks == 1)[0])
    plain = pictures_of(dataset, "image")
    for n_pass in range(4):
        for row in np.flatnonzero(own):
            np.testing.assert_array_equal(shown(looks, n_pass)[row][0], plain[row])


def test_a_shard_without_the_column_is_refused_by_name(dataset, pages):
    build = build_report.read(dataset)
    build["fixed"]["variants"] *= 2
    bare = replace(pages, source=replace(pages.source, build=build))
    with pytest.raises(BuildError, match=r"\.parquet: variant_3 can't be read .*build or download"):
        Looks.of(bare, varied=True)


def test_a_training_says_what_it_shows_and_its_folder_keeps_it(dataset, tmp_path, capsys):
    out = tmp_path / "model"
    words = ["--dataset", dataset, "--model", "tiny", "--output-dir", out, "--max-steps", "1"]
    words += ["--eval-strategy", "no", "--save-strategy", "no", "--disable-tqdm", "true"]
    sft.main(list(map(str, words)))
    said = capsys.readouterr().out
    assert (
        "variants          2: each page as recorded, or a variant of it, all equally often" in said
    )
    assert ModelFolder.load(out).variants == SPECS
    assert json.loads((out / "training.json").read_text())["psgimg"]["variants"] is True
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "each of its 2 variants, the same page of a signal with `noise:snr_db=-20` or" in card
