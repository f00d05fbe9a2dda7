"""The command `psgimg review` as a process: its address, its port, and what a kill leaves."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest
from patience import PATIENCE_S
from psgimg.builder.errors import BuildError
from review_nights import write_recording, write_staged

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from psgimg.finetune.review import requirements, serve
from psgimg.finetune.review.review_config import ReviewConfig
from psgimg.finetune.review.worklist import Worklist
from review_client import Served


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_staged(write_recording(tmp_path_factory.mktemp("served") / "night.edf"))


def test_a_killed_review_has_lost_nothing_that_was_answered_and_its_files_are_brought_up(folder):
    with Served(folder, "--scorer", "anna") as served:
        for epoch in range(6):
            edit = {"kind": "stage", "epoch": epoch, "stage": "N3"}
            assert served.edit(edit).status_code == 200
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait(PATIENCE_S)
    (folder / "review" / "hypnogram.csv").unlink(
        missing_ok=True
    )  # as if killed before it was written
    with Served(folder) as served:
        night = served.night()
        assert night["epochs"]["stage"][:6] == ["N3"] * 6
        assert night["revision"] == 6
        served.edit({"kind": "undo"})
        assert _addresses(served.port) == {"0100007F"}, "only this machine is served"
        served.process.send_signal(signal.SIGINT)
        rest = served.process.stdout.read()
        assert served.process.wait(PATIENCE_S) == 130
    assert "api/nights" not in rest
    assert "key=" not in rest
    facts = json.loads((folder / "review" / "statistics.json").read_text())
    assert facts["review"]["revision"] == 7
    assert (folder / "review" / "hypnogram.csv").is_file()


def _addresses(port):
    """Return the addresses at which a port is open, as the system lists them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    places = [line.split()[1].split(":") for line in lines if line.split()[3] == "0A"]
    return {address for address, number in places if int(number, 16) == int(port)}


def test_without_the_extra_the_command_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    with pytest.raises(BuildError, match=r"needs starlette and uvicorn; .*'psgimg\[review\]'"):
        requirements.require()


def test_a_port_that_is_taken_is_named(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = ReviewConfig((folder,), port=port)
        with pytest.raises(BuildError, match=f"--port {port}: Address already in use; choose"):
            serve.serve(Worklist({}), config, print, print, opens=False)
