"""A kind of lane that a later psgimg brings leaves what was made before as readable as it was.

The later psgimg is a copy of the package whose ``Kind`` has one member more.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from builds import content, run
from psgimg.builder.dataset import build_report, validate
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import PRESETS
from tiny_manifest import manifest

ROOT = Path(__file__).resolve().parents[2]
EDITS = {
    "recordings/montage.py": ('    EEG = "eeg"\n', '    RESP = "resp"\n    EEG = "eeg"\n'),
    "render/style.py": (
        "            Kind.EEG: LaneStyle(scale_uv=150.0",
        "            Kind.RESP: LaneStyle(scale_uv=500.0),\n"
        "            Kind.EEG: LaneStyle(scale_uv=150.0",
    ),
    "signals/filter_settings.py": (
        "        Kind.EEG: Band",
        "        Kind.RESP: Band(0.1, 15.0),\n        Kind.EEG: Band",
    ),
}


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """Run a program with the later psgimg; what it prints last is JSON."""
    place = tmp_path_factory.mktemp("later")
    for package in ("builder", "finetune", "cards"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, place / "psgimg" / package, ignore=ignore)
    for name, (old, new) in EDITS.items():
        path = place / "psgimg" / "builder" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, name
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run_program(program, *words):
        check = "from psgimg.builder.recordings.montage import Kind\nassert 'RESP' in Kind.__members__\n"
        done = subprocess.run(
            [sys.executable, "-P", "-c", check + program, *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run_program


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus, a dataset of it, and the folder of a model that learned from it."""
    room = tmp_path_factory.mktemp("made")
    tiny.write_shhs(room / "corpus", n_subjects=1, visits=(1,), minutes=3)
    run(room / "dataset", room / "corpus", trim_min=None)
    (room / "model").mkdir()
    manifest(build_report.read(room / "dataset")).save(room / "model")
    return room


def test_a_dataset_and_a_model_made_before_are_read_with_the_same_hash(later, made):
    program = """
import json, sys
from pathlib import Path
from psgimg.builder.dataset import validate
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import PRESETS
from psgimg.finetune.models.manifest import ModelFolder
dataset, model = validate.values(Path(sys.argv[1])), ModelFolder.load(Path(sys.argv[2]))
recipes = [Recipe.from_dict(dataset["recipe"]), Recipe.from_dict(model.recipe)]
own = Recipe(MONTAGES[recipes[0].montage.name], PRESETS["clinical"])
print(json.dumps([recipe.hash for recipe in (*recipes, own)]))
"""
    before = build_report.read(made / "dataset")["recipe_hash"]
    assert later(program, made / "dataset", made / "model") == [before] * 3


def test_recipes_that_come_with_psgimg_keep_their_hashes(later):
    program = """
import json
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import PRESETS
print(json.dumps([Recipe(montage, style).hash for montage in MONTAGES.values() for style in PRESETS.values()]))
"""
    now = [Recipe(m, style).hash for m in MONTAGES.values() for style in PRESETS.values()]
    assert later(program) == now


def test_the_same_build_goes_on_in_a_dataset_made_before_and_changes_no_byte(later, made, tmp_path):
    program = """
import json, sys
from pathlib import Path
from psgimg.builder.build import build
from psgimg.builder.console import ProgressBar, open_console
from psgimg.builder.dataset.config import BuildConfig
with ProgressBar(open_console()) as progress:
    build(BuildConfig(("shhs",), (sys.argv[1],), Path(sys.argv[2]), trim_min=None), progress)
print(json.dumps(True))
"""
    shutil.copytree(made / "dataset", tmp_path / "dataset")
    later(program, made / "corpus", tmp_path / "dataset")
    assert content(tmp_path / "dataset") == content(made / "dataset")


def test_what_draws_the_new_kind_asks_an_older_psgimg_for_a_newer_one(later, made, tmp_path):
    program = """
import json
from psgimg.builder.recordings.montage import Kind, Lane, Montage
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import PRESETS
lanes = (Lane("C4", Kind.EEG, ("C4-M1",)), Lane("belt", Kind.RESP, ("Thorax",)))
recipe = Recipe(Montage("breath", lanes), PRESETS["clinical"])
assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
print(json.dumps([recipe.to_dict(), recipe.hash]))
"""
    values, hashed = later(program)
    said = r"this psgimg can't draw lanes of kind 'resp', only eeg, eog, emg, ecg; install a newer psgimg$"
    with pytest.raises(BuildError, match=said):
        Recipe.from_dict(values)
    build = build_report.read(made / "dataset") | {"recipe": values, "recipe_hash": hashed}
    (tmp_path / "build.json").write_text(json.dumps(build))
    with pytest.raises(BuildError, match=rf"build\.json: .*{said}"):
        validate.values(tmp_path)
