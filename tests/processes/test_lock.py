"""Lock: one of several commands goes on, and a killed one stands in nobody's way."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from patience import PATIENCE_S, wait_for
from psgimg.builder import atomic_folder
from psgimg.builder.errors import BuildError
from psgimg.builder.processes import lock

HOLDER = """
import os, sys, time
from pathlib import Path
from psgimg.builder.processes import lock
with lock.held(Path(sys.argv[1]), "refused"):
    if "fork" in sys.argv and not os.fork():
        time.sleep(600)  # as a worker of a data loader that has not noticed yet
    print(os.getpid(), flush=True)
    time.sleep(600)
"""


def holder(path, *more):
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDER, str(path), *more],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout.readline()
    return process


def test_a_second_holder_is_refused_with_its_message_and_the_file_goes_with_the_first(tmp_path):
    path = tmp_path / "deep" / "lock"
    with lock.held(path, "first"):
        with (
            pytest.raises(BuildError, match="second is refused"),
            lock.held(path, "second is refused"),
        ):
            pass
        assert path.exists()
    assert not path.exists()
    with lock.held(path, "third"):
        pass


def test_sharers_go_on_together_and_exclude_one_that_wants_it_alone(tmp_path):
    path = tmp_path / "lock"
    with lock.held(path, "a", shared=True):
        with lock.held(path, "b", shared=True), pytest.raises(BuildError), lock.held(path, "c"):
            pass
        assert path.exists(), "the first to leave must not delete what the other holds"
        with pytest.raises(BuildError), lock.held(path, "c"):
            pass
    assert not path.exists()


def test_where_there_are_no_locks_only_who_needs_one_is_refused(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(BuildError, match=r"can't write .*lock"), lock.held(tmp_path / "lock", "a"):
        pass
    with (
        lock.held(tmp_path / "lock", "a", needed=False),
        lock.held(tmp_path / "lock", "b", shared=True, needed=False),
    ):
        pass


def is_free(path):
    """Whether a lock can be held, which a fork closes as soon as it runs."""
    with suppress(BuildError), lock.held(path, "held"):
        return True
    return False


@pytest.mark.parametrize("more", [(), ("fork",)])
def test_a_killed_holder_holds_nothing_even_if_it_has_forked(tmp_path, more):
    process = holder(tmp_path / "lock", *more)
    try:
        with pytest.raises(BuildError, match="held"), lock.held(tmp_path / "lock", "held"):
            pass
        process.kill()
        process.wait()
        wait_for(lambda: is_free(tmp_path / "lock"))
    finally:
        process.stdout.close()
        if more:
            os.killpg(process.pid, signal.SIGKILL)


def test_of_many_that_start_at_once_never_two_go_on(tmp_path):
    """Each deletes the file at its end: another may have opened it just before."""
    code = """
import sys, os
from pathlib import Path
from psgimg.builder.errors import BuildError
from psgimg.builder.processes import lock
place, n = Path(sys.argv[1]), 0
print("ready", flush=True)
while not (place / "go").exists():
    pass
while n < 500:
    try:
        with lock.held(place / "folder" / "lock", ""):
            os.close(os.open(place / "inside", os.O_CREAT | os.O_EXCL))
            os.unlink(place / "inside")
            n += 1
    except BuildError:
        pass
"""
    command = [sys.executable, "-P", "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    for process in processes:
        process.communicate(timeout=PATIENCE_S)
    assert all(process.returncode == 0 for process in processes), "two were inside at once"


def test_a_lock_that_can_not_be_written_is_one_line_with_path_and_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BuildError, match=r"can't write .*file/lock: .*; choose another --out"),
        lock.held(tmp_path / "file" / "lock", ""),
    ):
        pass


def test_a_replacement_killed_between_its_two_renames_is_undone_by_the_next(tmp_path):
    """The earlier export is neither lost nor taken for somebody else's files."""
    out, work = tmp_path / "out", tmp_path / ".out.part"
    (work / "old").mkdir(parents=True)
    (work / "old" / "mine").write_text("earlier")
    (work / "new").mkdir()
    own = lambda: {"mine"} if (out / "mine").exists() else set()  # noqa: E731
    with pytest.raises(ZeroDivisionError), atomic_folder.whole(out, None, own, "test"):
        raise ZeroDivisionError
    assert (out / "mine").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_replacement_interrupted_between_its_two_renames_restores_the_earlier_folder(
    tmp_path, monkeypatch
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("earlier")
    replace = type(out).replace

    def interrupted(source, target):
        if source.name == "new":
            raise KeyboardInterrupt
        return replace(source, target)

    monkeypatch.setattr(type(out), "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_folder.whole(out, None, lambda: {"mine"}, "test"):
        pass
    assert (out / "mine").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
