"""Vanished corpus: a missing night is set aside; a missing corpus ends the build, to be resumed."""

import errno
import os
import shutil
import subprocess

import pytest
import tiny
from builds import PSGIMG, content, run
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.corpora.presence import MANY
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.files import hash_cache

SMALL = {"style": "paper", "trim_min": None}
N = MANY + 3


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def shhs(tmp_path_factory):
    root = tmp_path_factory.mktemp("shhs")
    tiny.write_shhs(root, n_subjects=N, visits=(1,), minutes=6)
    return root


@pytest.fixture(scope="module")
def whole(shhs, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    report, _ = run(out, shhs, **SMALL)
    assert report.values["set_aside"] == []
    return content(out)


@pytest.fixture
def corpus(shhs, tmp_path):
    return shutil.copytree(shhs, tmp_path / "corpus")


class Until(Remembered):
    """Progress that lets something happen when a number of recordings is done."""

    def __init__(self, n, then):
        super().__init__()
        self.n, self.then = n, then

    def advance(self, n=1, pages=0):
        super().advance(n, pages)
        if self.n_done == self.n:
            self.then()


def build_until(corpus, out, n, then):
    config = BuildConfig(("shhs",), (str(corpus),), out, **SMALL)
    return build(config, Until(n, then))


def unplug(root):
    root.rename(root.with_name("elsewhere"))


def remount_empty(root):
    unplug(root)
    root.mkdir()


def remount_with_another_share(root):
    unplug(root)
    root.mkdir()
    (root / "README").write_text("not the corpus")


def lose_the_signals(root):
    shutil.copytree(root, root.with_name("elsewhere"))
    for path in root.rglob("*.edf"):
        path.unlink()


def lose_the_scorings(root):
    shutil.copytree(root, root.with_name("elsewhere"))
    for path in root.rglob("*-nsrr.xml"):
        path.unlink()


def plug_in(root):
    shutil.rmtree(root, ignore_errors=True)
    root.with_name("elsewhere").rename(root)


@pytest.mark.parametrize(
    "vanish",
    [unplug, remount_empty, remount_with_another_share, lose_the_signals, lose_the_scorings],
)
def test_a_corpus_that_vanishes_ends_the_build_which_resumes_to_the_same_bytes(
    corpus, whole, tmp_path, vanish
):
    out = tmp_path / "out"
    with pytest.raises(BuildError, match=r"shhs: .* no longer there.*run the same command again"):
        build_until(corpus, out, 1, lambda: vanish(corpus))
    assert not (out / "build.json").exists()
    assert not (out / "README.md").exists()
    assert (out / ".psgimg").is_dir()
    plug_in(corpus)
    _, progress = run(out, corpus, **SMALL)
    assert progress.n_kept == 1
    assert content(out) == whole


@pytest.mark.parametrize("n_left", [2, MANY])
def test_the_last_nights_may_not_vanish_together(corpus, tmp_path, n_left):
    with pytest.raises(BuildError, match=r"recordings one after another are no longer there"):
        build_until(corpus, tmp_path / "out", N - n_left, lambda: lose_the_signals(corpus))


@pytest.mark.parametrize("gone", [[4], [N], [3, 4], [2, 5, 7]])
def test_single_nights_that_are_missing_are_set_aside(corpus, tmp_path, gone):
    def remove():
        for number in gone:
            next(corpus.rglob(f"shhs1-20000{number}.edf")).unlink()

    report = build_until(corpus, tmp_path / "out", 1, remove)
    assert [entry["recording"] for entry in report.values["set_aside"]] == [
        f"shhs1-20000{number}" for number in gone
    ]


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
def test_files_that_are_listed_but_can_no_longer_be_read_end_the_build(
    corpus, whole, tmp_path, monkeypatch, number
):
    n_read, read = [], hash_cache.read

    def failing(path):
        n_read.append(path)
        if len(n_read) > 3:
            raise OSError(number, os.strerror(number), str(path))
        return read(path)

    with monkeypatch.context() as during:
        during.setattr(hash_cache, "read", failing)
        with pytest.raises(BuildError, match=os.strerror(number)):
            run(tmp_path / "out", corpus, **SMALL)
    run(tmp_path / "out", corpus, **SMALL)
    assert content(tmp_path / "out") == whole


def test_nights_that_were_never_readable_do_not_end_the_build(corpus, tmp_path):
    """Links of a partial download, say, which lead nowhere."""
    for path in sorted(corpus.rglob("*.edf"))[2:]:
        path.unlink()
        path.symlink_to(corpus / "not-downloaded")
    report, _ = run(tmp_path / "out", corpus, **SMALL)
    assert len(report.values["recordings"]) == 2
    assert {entry["reason"] for entry in report.values["set_aside"]} == {"unreadable file"}


def test_an_extension_that_loses_its_corpus_leaves_what_was_built(corpus, tmp_path):
    out = tmp_path / "out"
    run(out, corpus, limit=2, **SMALL)
    before = content(out)
    with pytest.raises(BuildError, match="no longer there"):
        build_until(corpus, out, 1, lambda: unplug(corpus))
    after = content(out)
    assert {name: after[name] for name in before} == before
    assert (out / ".psgimg").is_dir()  # so that nothing takes it for finished


def test_the_command_fails_in_one_line_and_promises_nothing(corpus, tmp_path):
    gone = (
        "import shutil, sys; from pathlib import Path; from psgimg.builder import build\n"
        "drawn = build.draw\n"
        "def draw(task):\n"
        "    result = drawn(task)\n"
        f"    shutil.rmtree({str(corpus)!r}, ignore_errors=True)\n"
        "    return result\n"
        "build.draw = draw\n"
    )
    words = ["build", "--source", "shhs", "--root", corpus, "--out", tmp_path / "out"]
    done = subprocess.run(
        [*PSGIMG[:-1], gone + PSGIMG[-1], *words, "--style", "paper", "--workers", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no longer there" in done.stderr
    assert "ready" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
