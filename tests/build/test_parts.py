"""Parts: what the tasks of a job array draw and one command joins is the dataset of one machine."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import file_clock
import pytest
import tiny
from builds import PSGIMG, content, run
from patience import PATIENCE_S, wait_for
from psgimg.builder import build as main_path
from psgimg.builder.building import part_record
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.files import hash_cache
from psgimg.builder.placing.parts import Part
from psgimg.builder.progress import SILENT
from tiny_lab import describe, write_lab

SMALL = {"style": "paper", "trim_min": None, "splits": "1/1/1"}


@pytest.fixture(scope="module")
def shhs(tmp_path_factory):
    root = tmp_path_factory.mktemp("shhs")
    tiny.write_shhs(root, n_subjects=4, visits=(1,), minutes=3)
    return root


@pytest.fixture(scope="module")
def whole(shhs, tmp_path_factory):
    """What one machine builds."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run(out, shhs, **SMALL)
    return content(out)


def config(out, root, number=1, n_parts=1, **options):
    return BuildConfig(
        ("shhs",), (str(root),), out, part=Part(number, n_parts), **(SMALL | options)
    )


def draw(out, root, number, n_parts, **options):
    return main_path.build_part(config(out, root, number, n_parts, **options), SILENT)


def draw_all(out, root, n_parts, **options):
    return [draw(out, root, number, n_parts, **options) for number in range(1, n_parts + 1)]


def join(out, root, folders=(), **options):
    return main_path.join(config(out, root, **options), folders, SILENT)


# The dataset


@pytest.mark.parametrize("n_parts", [1, 2, 7])
def test_parts_in_one_folder_are_joined_to_the_dataset_of_one_machine(
    shhs, whole, tmp_path, n_parts
):
    done = draw_all(tmp_path / "out", shhs, n_parts)
    assert sum(one.n_recordings for one in done) >= 3  # the fourth is a twin of the first
    join(tmp_path / "out", shhs)
    assert content(tmp_path / "out") == whole


@pytest.mark.parametrize("same_file_system", [True, False])
def test_parts_in_their_own_folders_are_moved_and_not_kept_twice(
    shhs, whole, tmp_path, monkeypatch, same_file_system
):
    if not same_file_system:
        replace = Path.replace

        def only_near(path, target):
            if path.parts[-3] == "parts" and path.parents[3] != Path(target).parents[3]:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", only_near)
    for number in (1, 2, 3):
        draw(tmp_path / "drawn" / str(number), shhs, number, 3)
    join(tmp_path / "out", shhs, [tmp_path / "drawn"])
    assert content(tmp_path / "out") == whole
    assert not list((tmp_path / "drawn").rglob("*.parquet"))


def test_a_join_may_be_run_again(shhs, whole, tmp_path):
    draw_all(tmp_path / "shared", shhs, 2)
    for number in (1, 2):
        draw(tmp_path / str(number), shhs, number, 2)
    for out, folders in (("shared", ()), ("out", (tmp_path / "1", tmp_path / "2"))):
        for _ in range(2):
            join(tmp_path / out, shhs, folders)
            assert content(tmp_path / out) == whole


def test_recordings_that_parts_set_aside_are_those_of_one_machine(shhs, tmp_path):
    root = shutil.copytree(shhs, tmp_path / "root")
    (broken,) = root.rglob("shhs1-200002.edf")
    broken.write_bytes(broken.read_bytes()[:3000])
    for gone in root.rglob("shhs1-200003-*.xml"):
        gone.unlink()
    run(tmp_path / "whole", root, **SMALL)
    draw_all(tmp_path / "out", root, 4)
    report = join(tmp_path / "out", root)
    assert len(report.values["set_aside"]) == 3
    assert all(entry["detail"] for entry in report.values["set_aside"])
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_dataset_is_extended_by_parts_as_by_one_machine(shhs, whole, tmp_path):
    run(tmp_path / "out", shhs, limit=2, **SMALL)
    run(tmp_path / "grown", shhs, limit=2, **SMALL)
    run(tmp_path / "grown", shhs, **SMALL)
    draw_all(tmp_path / "out", shhs, 3)
    join(tmp_path / "out", shhs)
    assert content(tmp_path / "out") == content(tmp_path / "grown")


def test_a_corrupted_twin_is_drawn_by_parts_as_by_one_machine(shhs, tmp_path):
    options = {**SMALL, "splits": "1/0/2", "corrupt": ("noise:snr_db=0,lanes=eeg",)}
    run(tmp_path / "whole", shhs, **options)
    draw_all(tmp_path / "out", shhs, 3, **options)
    join(tmp_path / "out", shhs, **options)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_names_of_people_get_the_same_numbers_in_every_part(tmp_path):
    write_lab(tmp_path / "recordings", n_subjects=3, minutes=5)
    for subject, person in (("P001", "Zo\u00e9 Silva"), ("P002", "Ann O\u2019Neil")):
        (tmp_path / "recordings" / subject).rename(tmp_path / "recordings" / person)
    describe(tmp_path / "lab.yaml")

    def made(name, number=1, n_parts=1):
        part = Part(number, n_parts)
        return BuildConfig((str(tmp_path / "lab.yaml"),), (), tmp_path / name, part=part)

    main_path.build(made("whole"), SILENT)
    for number in (1, 2, 3):
        main_path.build_part(made("shared", number, 3), SILENT)
        main_path.build_part(made(f"own{number}", number, 3), SILENT)
    main_path.join(made("shared"), (), SILENT)
    main_path.join(made("joined"), [tmp_path / f"own{number}" for number in (1, 2, 3)], SILENT)
    assert content(tmp_path / "shared") == content(tmp_path / "whole")
    assert content(tmp_path / "joined") == content(tmp_path / "whole")


def test_one_machine_goes_on_with_what_parts_have_drawn(shhs, whole, tmp_path):
    draw(tmp_path / "out", shhs, 2, 3)
    _, progress = run(tmp_path / "out", shhs, **SMALL)
    assert progress.n_kept == 1
    assert content(tmp_path / "out") == whole


# What is refused


def test_a_part_without_its_corpus_leaves_no_folder(tmp_path):
    with pytest.raises(BuildError, match="not found"):
        draw(tmp_path / "out", tmp_path / "none", 1, 2)
    assert not (tmp_path / "out").exists()


def test_a_part_that_has_not_finished_is_named(shhs, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(BuildError, match=r"--join: no part has finished in .*out; run the same"):
        join(out, shhs)
    assert not out.exists()
    for number in (1, 2, 4):
        draw(out, shhs, number, 7)
    before = content(out)
    with pytest.raises(
        BuildError, match=r"4 parts of 7 not finished: 3, 5, 6, 7; run .* --part 3/7 and so on, or"
    ):
        join(out, shhs)
    assert content(out) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, r"part 1/2 in .*own was drawn with other settings \(seed\); run it again"),
        ({"limit": 3}, r"part 1/2 in .*own found another list of recordings than there is here"),
        ({"trim_min": 30.0}, r"drawn with other settings \(trim_min\)"),
    ],
)
def test_a_part_of_another_build_is_refused(shhs, tmp_path, options, message):
    draw_all(tmp_path / "own", shhs, 2, **options)
    with pytest.raises(BuildError, match=message):
        join(tmp_path / "out", shhs, [tmp_path / "own"])
    assert not (tmp_path / "out").exists()


def test_a_part_drawn_with_other_versions_is_refused(shhs, tmp_path, monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(part_record.platform, "python_version", lambda: "3.10.1")
        draw(tmp_path / "out", shhs, 1, 2)
    draw(tmp_path / "out", shhs, 2, 2)
    with pytest.raises(BuildError, match=r"part 1/2 .* was drawn with other versions \(python\)"):
        join(tmp_path / "out", shhs)


def test_a_damaged_record_of_a_part_is_refused(shhs, tmp_path):
    draw_all(tmp_path / "out", shhs, 2)
    record = tmp_path / "out" / ".psgimg" / "tasks" / "2-of-2.json"
    for text in ("{", "[]", '{"settings": 1}', json.dumps({"settings": {}, "recordings": "x"})):
        record.write_text(text)
        with pytest.raises(BuildError, match=r"2-of-2.json is damaged .*run --part 2/2 again"):
            join(tmp_path / "out", shhs)


def test_a_recording_that_its_part_did_not_find_or_that_has_changed_is_named(
    shhs, whole, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(hash_cache, "COARSE_TICK_S", 0)
    monkeypatch.setattr(hash_cache, "FINE_TICK_S", 0)
    root = shutil.copytree(shhs, tmp_path / "root")
    (path,) = root.rglob("shhs1-200003.edf")
    away = path.rename(tmp_path / "away.edf")
    draw_all(tmp_path / "out", root, 2)
    away.rename(path)
    with pytest.raises(
        BuildError, match=r"(another list of recordings|200003 .* was not there when)"
    ):
        join(tmp_path / "out", root)
    draw_all(tmp_path / "out", root, 2)
    data = bytearray(path.read_bytes())
    file_clock.moved_on(path)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for known in root.rglob("shhs1-200003*.*"):
        hash_cache.read(known)
    with pytest.raises(
        BuildError, match=r"200003 of shhs has changed since it was drawn; run --pa"
    ):
        join(tmp_path / "out", root)
    file_clock.moved_on(path)
    path.write_bytes(data)
    draw_all(tmp_path / "out", root, 2)
    join(tmp_path / "out", root)
    assert content(tmp_path / "out") == whole


def test_a_finished_dataset_is_extended_in_its_own_folder_only(shhs, tmp_path):
    run(tmp_path / "out", shhs, limit=2, **SMALL)
    before = content(tmp_path / "out")
    draw_all(tmp_path / "own", shhs, 2)
    with pytest.raises(BuildError, match=r"out is a finished dataset.*run its parts with --out"):
        join(tmp_path / "out", shhs, [tmp_path / "own"])
    kept = content(tmp_path / "out")
    assert {name: kept[name] for name in before} == before


def test_options_that_do_not_go_together_are_refused(tmp_path):
    build = ["build", "--source", "demo", "--out", str(tmp_path / "out")]
    for words, message in (
        (["--part", "1/2", "--join"], "--part and --join don't go together"),
        (["--part", "1/2", "--push"], "--part and --push don't go together"),
        (["--part", "3/2"], "--part 3/2: give 1/2 to 2/2"),
        (["--parts", "x"], "--parts goes with --join"),
        (["--join", "--parts", str(tmp_path / "none")], "no part of a build is there"),
        (["--fetch", "--part", "1/2"], "needs --connections"),
        (["--connections", "2"], "go with --fetch"),
        (["--cluster", "x:1", "--workers", "2"], "--cluster and --workers don't go together"),
    ):
        done = subprocess.run(
            [*PSGIMG, *build, *words], capture_output=True, text=True, check=False
        )
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr


# At the same time


def test_while_a_part_runs_other_parts_do_and_no_build_or_join(shhs, whole, tmp_path, monkeypatch):
    out, to_draw = tmp_path / "out", main_path.changes.to_draw

    def during(*arguments):
        monkeypatch.setattr(main_path.changes, "to_draw", to_draw)
        for attempt in (lambda: join(out, shhs), lambda: run(out, shhs, **SMALL)):
            with pytest.raises(BuildError, match="another build is running"):
                attempt()
        draw(out, shhs, 2, 2)
        return to_draw(*arguments)

    monkeypatch.setattr(main_path.changes, "to_draw", during)
    draw(out, shhs, 1, 2)
    join(out, shhs)
    assert content(out) == whole


def test_two_runs_of_a_part_at_a_time_do_no_harm_where_there_are_no_locks(
    shhs, whole, tmp_path, monkeypatch
):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    errors = []

    def run_part():
        try:
            draw(tmp_path / "out", shhs, 1, 1)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run_part) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    join(tmp_path / "out", shhs)
    assert content(tmp_path / "out") == whole


def test_a_part_ends_at_a_signal_when_the_night_in_progress_is_done_and_goes_on(
    shhs, whole, tmp_path
):
    out = tmp_path / "out"
    words = ["build", "--source", "shhs", "--root", str(shhs), "--out", str(out), "--workers", "1"]
    words += ["--style", "paper", "--trim", "none", "--splits", "1/1/1"]
    go = tmp_path / "go"
    slow = (
        "import time; from pathlib import Path; from psgimg.builder import night; drawn = night.draw\n"
        "def draw(*words):\n"
        f"    while list(Path({str(out)!r}).rglob('*.parquet')) and not Path({str(go)!r}).exists():\n"
        "        time.sleep(0.02)\n"
        "    return drawn(*words)\n"
        "night.draw = draw\n"
    )
    command = [*PSGIMG[:-1], slow + PSGIMG[-1], *words, "--part", "1/1"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    parts = out / shards.STATE / "parts"
    wait_for(lambda: list(parts.glob("*/*.parquet")))
    process.send_signal(signal.SIGUSR1)  # while the second night waits
    go.touch()
    _, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == main_path.TO_BE_CONTINUED
    assert "--part 1/1 ended early as SIGUSR1 asked; run the same command again" in error
    assert len(list(parts.glob("*/*.parquet"))) == 2
    assert not part_record.any_in(out)
    again = subprocess.run([*PSGIMG, *words, "--part", "1/1"], capture_output=True, check=False)
    assert again.returncode == 0, again.stderr
    join(out, shhs)
    assert content(out) == whole
