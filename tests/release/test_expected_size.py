"""Before a build that is to be pushed draws a page: how large it will be, and whether it fits."""

import pytest
import tiny
from hub_client import signed_in
from huggingface_hub import HfApi
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.building import expected_size
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.release.push import PushConfig, check_ready
from psgimg.builder.render.style_choice import load_style


@pytest.fixture
def hub(tmp_path):
    with signed_in(tmp_path / "home") as server:
        yield server


def ready(tmp_path, source="shhs"):
    return check_ready(PushConfig(tmp_path / "out"), [source], print)


def test_shhs_has_some_240_gb():
    assert 220e9 < expected_size.n_bytes(8444, [], load_style("clinical")) < 250e9


def test_a_build_says_its_size_before_the_first_page_and_measures_what_is_there(tmp_path):
    tiny.write_hmc(tmp_path / "hmc", n_subjects=3)
    expected, told = [], Remembered()

    def expect(n, n_bytes):
        expected.append((n, n_bytes, "drawing" in told.tasks))

    for limit in (1, 3):
        told.tasks.clear()
        config = BuildConfig(("hmc",), (str(tmp_path / "hmc"),), tmp_path / "out", limit=limit)
        build(config, told, expect)
    (n, typical, drawing), (n_all, measured, drawing_all) = expected
    assert (n, drawing, n_all, drawing_all) == (1, False, 3, False)
    size = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.parquet"))
    assert measured == pytest.approx(size, rel=0.1)
    assert typical > measured


@pytest.mark.parametrize("pays", [False, True])
def test_private_storage_may_need_a_plan(hub, tmp_path, monkeypatch, pays):
    whoami = type(hub.store).whoami
    monkeypatch.setattr(
        type(hub.store), "whoami", lambda store, token: {**whoami(store, token), "isPro": pays}
    )
    notes = []
    ready(tmp_path).expect(8444, 5 * 10**9, notes.append)
    assert "5.0 GB, 8,444 recordings, in alice/psg-images (private, gated)" in notes[0]
    assert ("may need a paid plan" in notes[0]) != pays
    assert not hub.store.repos


@pytest.mark.parametrize("exists", [False, True])
def test_what_does_not_fit_is_refused_before_it_is_drawn(hub, tmp_path, exists):
    if exists:
        HfApi().create_repo("alice/psg-images", repo_type="dataset", private=True)
    hub.quota_bytes = 100 * 10**9
    place = ready(tmp_path)
    place.expect(1, 90 * 10**9, print)
    with pytest.raises(BuildError, match=r"storage on the Hub is full .*nothing was published"):
        place.expect(8444, 240 * 10**9, print)
    assert hub.repo("alice/psg-images").private


def test_a_hub_that_does_not_answer_the_question_stops_nothing(hub, tmp_path):
    HfApi().create_repo("alice/psg-images", repo_type="dataset", private=True)
    hub.faults.add("objects/batch", status=422)
    ready(tmp_path).expect(1, 10**9, print)
