"""Why: what a real tiny model's answer hangs on, for a night that it staged."""

import json

import pytest
from progress import Remembered
from psgimg.builder.dataset import prompts
from review_nights import recipe, write_recording

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("starlette")

import tiny_models
from browser import serving
from psgimg.finetune.staging.stage import stage
from psgimg.finetune.staging.stage_config import StageConfig
from review_client import Review
from review_page import ReviewPage
from tiny_manifest import manifest


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    tiny_models.build("idefics3", folder, texts=[prompts.load("closed").question])
    drawn = recipe()
    built = {"recipe": drawn.to_dict(), "recipe_hash": drawn.hash, "policy": "open", "corpora": []}
    manifest(built, context=1).save(folder)
    return folder


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A night that `psgimg stage` staged, with its own channels, beside its recording."""
    place = tmp_path_factory.mktemp("staged")
    night = write_recording(place / "night.edf")
    out = place / "night-stages"
    stage(StageConfig(night, str(model), out, {"F4-M1": "EEG C4-M1"}, any_lanes=True), Remembered())
    return out


def test_what_was_staged_is_found_again_with_its_recording_lanes_and_recipe(folder, monkeypatch):
    monkeypatch.chdir("/")
    with Review(folder) as review:
        night = review.get("").json()
        assert night["n"] == 12
        assert night["model"]["name"] == "model"
        assert night["lanes"][0]["derivation"] == "F4-M1"
        facts = json.loads((folder / "statistics.json").read_text())
        assert [lane["derivation"] for lane in night["lanes"]] == list(facts["lanes"].values())
        assert night["size"] == [336, 336]


def test_the_parts_of_a_page_have_a_share_in_the_answer_that_the_model_gave(folder, model):
    with Review(folder, model=str(model)) as review:
        night = review.get("").json()
        found = review.get("/why/5").json()
        assert found["stage"] == night["epochs"]["model"][5]
        assert found["p"] == pytest.approx(night["epochs"]["p"][5], abs=1e-3)
        present = [lane["name"] for lane in night["lanes"] if lane["derivation"]]
        assert [lane["name"] for lane in found["lanes"]] == present
        assert [one["from_s"] for one in found["seconds"]] == [3.0 * i for i in range(10)]
        assert any(one["drop"] for one in found["lanes"] + found["seconds"])
        assert review.get("/why/5").json() == found


def test_a_model_of_other_pages_is_not_asked(folder, tmp_path):
    other = tmp_path / "other"
    tiny_models.build("idefics3", other, texts=[prompts.load("closed").question])
    drawn = recipe("clinical")
    built = {"recipe": drawn.to_dict(), "recipe_hash": drawn.hash, "policy": "open", "corpora": []}
    manifest(built).save(other)
    with Review(folder, model=str(other)) as review:
        answer = review.get("/why/5")
        assert answer.status_code == 409
        assert "give the model that staged it" in answer.json()["error"]


def test_the_page_marks_lanes_and_seconds_until_it_is_turned(browser, folder, model):
    with serving(folder, model=str(model)) as address:
        page = ReviewPage(browser, address).ready()
        page.press("Home", "y").says("reasons", "F4")
        assert len(page.page.locator("#reasons li").all()) == 3
        parts = page.page.locator("#marks .because")
        assert parts.count() == 10
        assert parts.last.bounding_box()["width"] == pytest.approx(
            parts.first.bounding_box()["width"]
        )
        page.press("ArrowRight")
        assert parts.count() == 0
        assert page.page.locator("#reasons").is_hidden()
        assert page.faults == []
        page.close()
