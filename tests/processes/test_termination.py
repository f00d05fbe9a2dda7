"""Termination: a signal ends a command as Ctrl-C does, whichever it is, and leaves no child."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time

import pytest
from patience import PATIENCE_S, wait_for
from psgimg.builder.errors import BuildError
from psgimg.builder.processes import termination

# A command that waits, and at its end takes its time or cleans up. It is not ended for being slow,
# and no signal comes so late that it counts as another one, unless a test says so.
COMMAND = f"""
import sys, time, click
from pathlib import Path
from psgimg.builder import cli
from psgimg.builder.processes import termination
termination.GRACE_S = termination.REPEAT_S = {2 * PATIENCE_S}
{{before}}
@cli.cli.command()
def rest():
    try:
        print("ready", flush=True)
        for _ in range(12000):
            time.sleep(0.05)  # one long sleep would miss a signal that comes just before it
    finally:
        Path(place).write_text("cleaned up")
        time.sleep({{clean_up_s}})
cli.command_line = lambda: cli.cli
place = sys.argv[1]
sys.argv[1:] = ["rest"]
cli.main()
"""


def started(place, before="", clean_up_s=0.0, **options):
    code = COMMAND.format(before=before, clean_up_s=clean_up_s)
    command = [sys.executable, "-P", "-c", code, str(place)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGINT, "interrupted"),
        (signal.SIGTERM, "terminated"),
        (signal.SIGHUP, "terminated (the terminal was closed)"),
        (signal.SIGUSR1, "terminated (by SIGUSR1)"),
        (signal.SIGXCPU, "terminated (the limit of CPU time was reached)"),
    ],
)
def test_every_signal_that_ends_a_command_cleans_up_and_is_one_line(tmp_path, number, said):
    process = started(tmp_path / "done")
    process.send_signal(number)
    _, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number
    assert error.strip() == f"psgimg: {said}; run the same command again to resume"
    assert (tmp_path / "done").read_text() == "cleaned up"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_is_ignored_when_a_command_starts_remains_ignored(tmp_path, number):
    """As SIGHUP under nohup, and SIGINT in the background of a shell."""
    ignoring = f"import signal; signal.signal({int(number)}, signal.SIG_IGN)"
    process = started(tmp_path / "done", before=ignoring)
    process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143


def test_a_second_signal_ends_the_clean_up_at_once(tmp_path):
    before = f"termination.REPEAT_S = {termination.REPEAT_S}"
    process = started(tmp_path / "done", before=before, clean_up_s=2 * PATIENCE_S)
    process.send_signal(signal.SIGTERM)
    wait_for((tmp_path / "done").exists)
    time.sleep(2 * termination.REPEAT_S)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143


def test_the_same_signal_sent_to_process_and_group_counts_once(tmp_path):
    process = started(tmp_path / "done", clean_up_s=1, start_new_session=True)
    process.send_signal(signal.SIGHUP)
    os.killpg(process.pid, signal.SIGHUP)
    _, error = process.communicate(timeout=PATIENCE_S)
    assert "run the same command again" in error


def test_a_worker_that_the_same_signal_ends_is_no_failure(tmp_path):
    """PyTorch raises an error when a worker of a data loader dies."""
    before = (
        "import os, signal, subprocess\n"
        "def fail(*_): raise RuntimeError('a worker died')\n"
        "signal.signal(signal.SIGCHLD, fail)\n"
        "worker = subprocess.Popen(['sleep', '60'])"
    )
    process = started(tmp_path / "done", before=before, clean_up_s=1, start_new_session=True)
    os.killpg(process.pid, signal.SIGTERM)
    _, error = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, error.count("\n"), "worker died" in error) == (143, 2, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_keep_coming_until_the_end_change_no_status(tmp_path, number):
    """Python's shutdown takes some 20 ms, in which default actions are back."""
    process = started(tmp_path / "done")
    while process.poll() is None:
        process.send_signal(number)
        time.sleep(0.002)
    _, error = process.communicate()
    assert process.returncode == 128 + number
    assert "Traceback" not in error
    assert (tmp_path / "done").read_text() == "cleaned up"


def test_a_clean_up_that_hangs_is_cut_short(tmp_path):
    hasty = "termination.GRACE_S = 0.5"
    process = started(tmp_path / "done", before=hasty, clean_up_s=2 * PATIENCE_S)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143
    assert error.count("\n") == 1
    assert "psgimg: terminated; run the same command again to resume" in error


def test_a_terminal_that_is_closed_costs_no_clean_up(tmp_path):
    ours, theirs = pty.openpty()
    code = COMMAND.format(before="", clean_up_s=0).replace(
        "Path(place).write_text",
        "print('to the closed terminal', flush=True); Path(place).write_text",
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, str(tmp_path / "done")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    while not said.endswith(b"ready\r\n"):
        said += os.read(ours, 100)
    os.close(ours)  # hangs up
    process.send_signal(signal.SIGHUP)  # as the shell does
    assert process.wait(PATIENCE_S) == 129
    assert (tmp_path / "done").read_text() == "cleaned up"


def test_writing_to_a_closed_terminal_ends_a_command_as_its_signal_does(tmp_path):
    """It may fail before the signal comes, or there may be none, as for a job of another session."""
    ours, theirs = pty.openpty()
    start, go = os.pipe()
    code = COMMAND.format(before="import os", clean_up_s=0).replace(
        "time.sleep(0.05)", f"os.read({start}, 1); print('to the closed terminal', flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, str(tmp_path / "done")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=[start],
    )
    os.close(theirs)
    os.close(ours)
    os.write(go, b"!")
    assert process.wait(PATIENCE_S) == 129
    assert (tmp_path / "done").read_text() == "cleaned up"


FORKED = """
import os, signal, time
from psgimg.builder.processes import termination
with termination.handled():
    ready, say = os.pipe()
    child = os.fork()
    if not child:
        print("ready", flush=True)
        try:
            os.write(say, b"!")
            time.sleep(600)
        finally:
            print("the child ran the parent's clean-up", flush=True)
    os.read(ready, 1)
    os.kill(child, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_forked_worker_ends_by_the_signal_and_runs_no_clean_up_of_its_parent():
    done = subprocess.run(
        [sys.executable, "-P", "-c", FORKED], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ready", "-15"]


def test_outside_the_main_thread_nothing_is_handled():
    import threading

    before = signal.getsignal(signal.SIGTERM)

    def run():
        with termination.handled():
            assert signal.getsignal(signal.SIGTERM) is before

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_a_command_without_a_signal_leaves_the_handlers_as_they_were():
    before = signal.getsignal(signal.SIGTERM)
    with termination.handled():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_may_set_the_exit_status_of_the_command():
    assert BuildError("full").status == 2
    assert BuildError("terminated", 143).status == 143


def test_a_signal_can_ask_for_an_end_in_place_of_ending_the_command():
    before = [signal.getsignal(number) for number in termination.WORDS]
    with termination.requested() as ended:
        assert not ended()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGUSR1)
        assert ended()
    assert [signal.getsignal(number) for number in termination.WORDS] == before


def test_outside_the_main_thread_nothing_is_asked():
    found = []

    def run():
        with termination.requested() as ended:
            found.append(ended())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False]
