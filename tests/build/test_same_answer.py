"""The same input gives the same answer: pictures are always those of the files on disk."""

import os
import shutil
import sys
from pathlib import Path

import file_clock
import pytest
import tiny
from builds import content, run
from psgimg.builder import build as main_path
from psgimg.builder import night
from psgimg.builder.check import check
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.files import hash_cache
from psgimg.builder.progress import SILENT
from psgimg.builder.recordings import fingerprint
from psgimg.builder.recordings.fingerprint import Identity

SMALL = {"style": "paper", "trim_min": None}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Files that tests wrote a moment ago count as written long ago."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(hash_cache, "COARSE_TICK_S", 0)
    monkeypatch.setattr(hash_cache, "FINE_TICK_S", 0)


@pytest.fixture(scope="module")
def shhs(tmp_path_factory):
    root = tmp_path_factory.mktemp("shhs")
    tiny.write_shhs(root, n_subjects=3, visits=(1,), minutes=4)
    return root


@pytest.fixture(scope="module")
def whole(shhs, tmp_path_factory):
    """What an uninterrupted build of the right files gives."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run(out, shhs, **SMALL)
    return content(out)


@pytest.fixture
def corpus(shhs, tmp_path):
    return shutil.copytree(shhs, tmp_path / "corpus")


def found(root, name):
    (path,) = root.rglob(name)
    return path


def aside(report):
    return {entry["recording"]: entry["reason"] for entry in report.values["set_aside"]}


# whole files


def test_a_copy_with_a_hole_is_drawn_again_when_the_right_file_replaces_it(corpus, whole, tmp_path):
    signal = found(corpus, "shhs1-200001.edf")
    right, times = signal.read_bytes(), signal.stat()
    third = len(right) // 3
    signal.write_bytes(right[:third] + bytes(third) + right[2 * third :])
    out = tmp_path / "out"
    run(out, corpus, **SMALL)
    assert content(out) != whole
    file_clock.moved_on(signal)
    signal.write_bytes(right)
    os.utime(signal, ns=(times.st_atime_ns, times.st_mtime_ns))
    _, progress = run(out, corpus, **SMALL)
    assert (progress.total, progress.n_kept) == (1, 2)
    assert content(out) == whole


@pytest.mark.parametrize(
    "name", ["shhs1-200001.edf", "shhs1-200001-nsrr.xml", "shhs1-200001-profusion.xml"]
)
def test_a_file_that_changes_while_its_night_is_drawn_leaves_no_picture_under_its_old_hash(
    corpus, whole, tmp_path, monkeypatch, name
):
    path, draw = found(corpus, name), night.draw
    right = path.read_bytes()
    middle = len(right) // 2
    other = right[:middle] + bytes([right[middle] ^ 1]) + right[middle + 1 :]

    def changing(plan, spec):
        drawn = draw(plan, spec)
        if plan.recording.recording == "shhs1-200001":
            times = path.stat()
            file_clock.moved_on(path)
            path.write_bytes(other)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return drawn

    with monkeypatch.context() as during:
        during.setattr(night, "draw", changing)
        report, _ = run(tmp_path / "out", corpus, **SMALL)
    assert aside(report) == {"shhs1-200001": "changed while it was read"}
    file_clock.moved_on(path)
    path.write_bytes(right)
    report, _ = run(tmp_path / "out", corpus, **SMALL)
    assert aside(report) == {}
    assert content(tmp_path / "out") == whole


def test_a_file_that_is_written_anew_with_the_same_content_costs_nothing(
    corpus, whole, tmp_path, monkeypatch
):
    path, draw = found(corpus, "shhs1-200001.edf"), night.draw

    def touching(plan, spec):
        path.write_bytes(path.read_bytes())
        return draw(plan, spec)

    monkeypatch.setattr(night, "draw", touching)
    run(tmp_path / "out", corpus, **SMALL)
    assert content(tmp_path / "out") == whole


# nothing is read twice

opened: list[str] | None = None


def _hear(event, args):
    if opened is not None and event == "open" and isinstance(args[0], str | os.PathLike):
        opened.append(os.fspath(args[0]))


sys.addaudithook(_hear)


@pytest.fixture
def reads(monkeypatch):
    """The files of a folder that are opened from now on."""
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "opened", [])
    return lambda root: [path for path in opened if Path(path).is_relative_to(root)]


def test_a_restart_opens_no_file_of_the_corpus(corpus, whole, tmp_path, reads):
    run(tmp_path / "out", corpus, **SMALL)
    assert reads(corpus)
    opened.clear()
    _, progress = run(tmp_path / "out", corpus, **SMALL)
    assert (progress.total, progress.n_kept) == (0, 3)
    assert reads(corpus) == []
    assert content(tmp_path / "out") == whole


def test_a_killed_build_reads_again_only_what_it_had_not_finished(
    corpus, whole, tmp_path, reads, monkeypatch
):
    def killed(task):
        if task.key[1] == "shhs1-200003":
            raise KeyboardInterrupt
        return draw(task)

    draw = main_path.draw
    with monkeypatch.context() as during:
        during.setattr(main_path, "draw", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "out", corpus, **SMALL)
    opened.clear()
    run(tmp_path / "out", corpus, **SMALL)
    hashed = hash_cache.location().read_bytes().split()
    shards = list((tmp_path / "out" / "data").rglob("*.parquet"))
    assert len(hashed) == 9 + len(shards)  # three files of each night, and what was made of them
    assert content(tmp_path / "out") == whole


def test_without_a_cache_a_restart_reads_the_files_but_draws_nothing(
    corpus, whole, tmp_path, monkeypatch
):
    (tmp_path / "cache").write_text("no folder can be made here")
    run(tmp_path / "out", corpus, **SMALL)
    _, progress = run(tmp_path / "out", corpus, **SMALL)
    assert (progress.total, progress.n_kept) == (0, 3)
    assert progress.totals["verifying"] == 3
    assert content(tmp_path / "out") == whole


def test_the_cache_is_no_part_of_the_dataset(corpus, tmp_path):
    run(tmp_path / "out", corpus, **SMALL)
    assert not [path for path in (tmp_path / "out").rglob("*") if "hashes" in path.name]


# one signal, one night


@pytest.fixture(scope="module")
def twins(shhs, tmp_path_factory):
    """The second and third night are copies of the first signal; what a build of them gives."""
    root = shutil.copytree(shhs, tmp_path_factory.mktemp("twins") / "corpus")
    first = found(root, "shhs1-200001.edf").read_bytes()
    for name in ("shhs1-200002.edf", "shhs1-200003.edf"):
        found(root, name).write_bytes(first)
    out = root.parent / "out"
    report, _ = run(out, root, **SMALL)
    assert aside(report) == dict.fromkeys(["shhs1-200002", "shhs1-200003"], "duplicate recording")
    return root, content(out)


def test_the_same_twin_is_kept_by_any_number_of_workers_and_predicted_by_check(twins, tmp_path):
    root, expected = twins
    run(tmp_path / "out", root, workers=2, **SMALL)
    assert content(tmp_path / "out") == expected
    plans, set_aside = check(BuildConfig(("shhs",), (str(root),), **SMALL), SILENT)
    assert [plan["recording"] for plan in plans] == ["shhs1-200001"]
    assert {entry.reason for entry in set_aside} == {"duplicate recording"}


def test_the_same_twin_is_kept_if_an_interrupted_build_had_drawn_another(
    twins, tmp_path, monkeypatch
):
    root, expected = twins
    later = shutil.copytree(root, tmp_path / "later")
    found(later, "shhs1-200001.edf").unlink()
    with monkeypatch.context() as during:
        during.setattr(main_path.publishing, "publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "out", later, **SMALL)
    run(tmp_path / "out", root, **SMALL)
    assert content(tmp_path / "out") == expected


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_restart_does_not_draw_a_twin_again(twins, tmp_path, reads):
    root, _ = twins
    run(tmp_path / "out", root, **SMALL)
    _, progress = run(tmp_path / "out", root, **SMALL)
    assert (progress.total, progress.n_kept) == (0, 1)


@pytest.mark.parametrize("cached", [True, False])
def test_a_night_renamed_since_it_was_published_is_not_in_the_dataset_twice(
    corpus, tmp_path, cached
):
    run(tmp_path / "out", corpus, **SMALL)
    for path in corpus.rglob("shhs1-200001*"):
        path.rename(path.with_name(path.name.replace("200001", "200009")))
    if cached:
        for path in corpus.rglob("shhs1-200009*"):
            hash_cache.read(path)
    report, _ = run(tmp_path / "out", corpus, **SMALL)
    assert aside(report) == {"shhs1-200009": "duplicate recording"}
    names = [fact["recording"] for fact in report.values["recordings"]]
    assert names == ["shhs1-200001", "shhs1-200002", "shhs1-200003"]


# earlier versions


def test_a_folder_with_hashes_of_samples_is_drawn_again_and_says_so(
    corpus, whole, tmp_path, monkeypatch
):
    identify = fingerprint.identify

    def sampled(recording):
        now = identify(recording)
        return Identity(now.files, now.signal[:32], "0" * 32)

    with monkeypatch.context() as earlier:
        earlier.setattr(fingerprint, "identify", sampled)
        earlier.setattr(fingerprint, "recall", lambda recording, cache: None)
        run(tmp_path / "out", corpus, **SMALL)
    assert content(tmp_path / "out") != whole
    _, progress = run(tmp_path / "out", corpus, **SMALL)
    assert progress.total == 3
    assert any("samples of their files" in note for note in progress.notes)
    assert content(tmp_path / "out") == whole
