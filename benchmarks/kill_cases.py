"""Kill cases: the commands that ``kills.py`` kills, their inputs, and a Hub for each push."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kill_point

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"
MODELS = ("predict", "stage", "study")
"""Commands that need a model, and so torch."""

FORMATS = ("imagefolder", "sharegpt", "trl", "webdataset")
TIMED = ("out/report.md", "out/study.*", "out/steps/*", "out/models/*/training.json")
BUILD = ("build", "--source", "shhs", "--trim", "none", "--style", "paper", "--splits", "1/1/1")
TRAINING = {
    "model": "tiny",
    "max_steps": 4,
    "save_steps": 1,
    "eval_strategy": "no",
    "report_to": "none",
    "per_device_train_batch_size": 2,
    "dataloader_num_workers": 0,
}


@dataclass(frozen=True)
class Case:
    """A command to kill.

    Parameters
    ----------
    name
        The command, with what distinguishes the case.
    words
        Its arguments; outputs are relative to the folder of the point.
    before
        Folder whose contents are there before it runs, if any.
    timed
        Patterns of the files that record times or interruptions; only their presence is compared.
    share
        Which share of a build the command is, if it is one of several.
    """

    name: str
    words: Sequence[str]
    before: Path | None = None
    timed: Sequence[str] = ()
    share: str = ""

    @property
    def command(self) -> str:
        """Name of the command, or of its share."""
        return self.share or self.words[0]


def warm_up(commands: Sequence[str]) -> None:
    """Import all that the commands import, so that forks need not; start no thread."""
    import psgimg.builder.build
    import psgimg.builder.rebuild
    import psgimg.builder.release.push
    import psgimg.builder.terminal.show_build
    import psgimg.builder.terminal.show_release
    import pyarrow
    from psgimg.builder.cli import command_line
    from psgimg.builder.exports import imagefolder, sharegpt, trl, webdataset  # noqa: F401

    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    command_line()
    sys.path.insert(0, str(SUPPORT))
    if {*commands} & {*MODELS}:
        import psgimg.finetune.predict
        import psgimg.finetune.sft
        import psgimg.finetune.staging.stage
        import psgimg.finetune.study.study
        import torch

        torch.set_num_threads(1)
        psgimg.finetune.predict.PER_PART = 4


def fork_for_spawn() -> None:
    """Have pools and studies fork where they start new interpreters, which takes seconds."""
    import multiprocessing

    from psgimg.builder.processes import children, pool

    forking = SimpleNamespace(get_context=lambda _: multiprocessing.get_context("fork"))
    pool.multiprocessing = forking  # type: ignore[assignment]
    subprocess = children.subprocess
    children.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=_Forked, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
    )


class _Forked:
    """What ``children.run`` uses of ``Popen``, by a fork that executes the code of the command."""

    def __init__(self, command: Sequence[str], *, stdin: Any, stdout: Any, **_: Any) -> None:
        code, *words = command[3:]
        self.returncode: int | None = None

        def run() -> None:
            os.setsid()
            if not isinstance(stdin, int):
                os.dup2(stdin.fileno(), 0)
            os.dup2(stdout.fileno(), 1)
            os.dup2(stdout.fileno(), 2)
            sys.argv = ["-c", *words]
            exec(code, {})

        self.pid = kill_point.fork(run)

    def terminate(self) -> None:
        """Send SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; kill the process after a timeout."""
        if self.returncode is None:
            self.returncode = kill_point.wait(self.pid, timeout)
        return self.returncode


def cases(inputs: Path, commands: Sequence[str]) -> list[Case]:
    """Write the inputs of some commands and return their cases."""
    import tiny

    root = inputs / "shhs"
    tiny.write_shhs(root, n_subjects=4, visits=(1,), minutes=3)
    tiny.write_hmc(inputs / "hmc", n_subjects=2, minutes=3)
    build = [*BUILD, "--root", str(root), "--out", "out"]
    _made(inputs, "built", [*build, "--workers", "1"])
    _made(inputs, "partly", [*build, "--workers", "1", "--limit", "2"])
    dataset = inputs / "built" / "out"
    found = [
        Case("build, 1 worker", [*build, "--workers", "1"]),
        Case("build, 2 workers", [*build, "--workers", "2"]),
        Case("build, more nights", [*build, "--workers", "1"], inputs / "partly"),
    ]
    if {*commands} & {"part", "join"}:
        found += _shared(inputs, build)
    if "push" in commands:
        hmc = ["--root", str(inputs / "hmc"), "--source", "hmc", "--out", "out", "--workers", "1"]
        _made(inputs, "open", ["build", "--trim", "none", *hmc])
        found.append(Case("push", ["push", str(inputs / "open" / "out")]))
    for form in FORMATS:
        words = ["export", str(dataset), "--format", form, "--out", "out"]
        found.append(Case(f"export, {form}", words))
        _made(inputs, form, words)
    labels = ["export", str(dataset), "--labels-only", "--out", "out"]
    _made(inputs, "labels", labels)
    found.append(Case("export, labels again", labels, inputs / "labels"))
    rebuild = ["rebuild", str(inputs / "labels" / "out"), "--root", str(root), "--out", "out"]
    found.append(Case("rebuild", [*rebuild, "--workers", "1"]))
    if {*commands} & {*MODELS}:
        found += _with_model(inputs, dataset, root)
    return [case for case in found if case.command in commands]


def _shared(inputs: Path, build: Sequence[str]) -> list[Case]:
    """Draw a build in parts, and return the cases of a part and of joining them."""
    one = [*build, "--workers", "1"]
    _made(inputs, "half", [*one, "--part", "1/2"])
    for number in ("1", "2"):
        _made(inputs, "together", [*one, "--part", f"{number}/2"])
        _made(inputs, "apart", [*one, "--part", f"{number}/2", "--out", number])
    folders = ["--parts", "1", "--parts", "2"]
    return [
        Case("part", [*one, "--part", "1/2"], share="part"),
        Case("part, 2 workers", [*build, "--workers", "2", "--part", "1/2"], share="part"),
        Case("part, after another", [*one, "--part", "2/2"], inputs / "half", share="part"),
        Case("join", [*one, "--join"], inputs / "together", share="join"),
        Case("join, own folders", [*one, "--join", *folders], inputs / "apart", share="join"),
    ]


def _with_model(inputs: Path, dataset: Path, root: Path) -> list[Case]:
    """Train a model and return the cases that use one."""
    import yaml

    options = [f"--{name}={value}" for name, value in TRAINING.items()]
    _made(inputs, "trained", ["sft", f"--dataset={dataset}", "--output_dir=model", *options])
    model = str(inputs / "trained" / "model")
    study = inputs / "study.yaml"
    values = {
        "build": {
            "source": "shhs",
            "root": {"shhs": str(root)},
            "style": "paper",
            "trim": "none",
            "splits": "1/0/1",  # the fourth subject is a twin of the first, and set aside
            "workers": 1,
        },
        "sft": TRAINING,
    }
    study.write_text(yaml.safe_dump(values), encoding="utf-8")
    night = sorted(root.rglob("*.edf"))[0]
    split = ["--split", "train", "--dataset", str(dataset)]
    lanes = [f"--channel={lane}" for lane in ("C4-M1=EEG", "C3-M2=EEG(sec)")]
    lanes += [f"--channel={lane}" for lane in ("E1-M2=EOG(L)", "E2-M1=EOG(R)", "Chin=EMG")]
    found = [
        Case("predict", ["predict", "--model", model, *split, "--out", "out.parquet"]),
        Case("stage", ["stage", str(night), "--model", model, *lanes, "--out", "out"]),
    ]
    for case in found:
        _made(inputs, f"{case.name}-once", case.words)
    return [*found, Case("study", ["study", str(study), "--out", "out"], timed=TIMED)]


def _made(inputs: Path, name: str, words: Sequence[str]) -> None:
    """Run a command in a folder of the inputs.

    It runs in this process, so that forks inherit what it imports and compiles, unless it trains: a
    process whose autograd has run can't be forked.
    """
    from psgimg.builder.cli import command_line

    folder = inputs / name
    folder.mkdir(exist_ok=True)
    log = inputs / f"{name}.log"
    if words[0] == "sft":
        if kill_point.wait(kill_point.start(words, folder, log, kill_point.nothing)) != 0:
            raise SystemExit(f"psgimg {' '.join(words)} failed:\n{log.read_text()}")
        return
    with log.open("a") as stream, redirect_stdout(stream), chdir(folder):
        command_line()(list(words), standalone_mode=False)


@contextmanager
def hub(home: Path) -> Iterator[tuple[int, Any]]:
    """Run a Hub in a process of its own, and sign this one in to it.

    Yields
    ------
    The process of the Hub, and a function that returns the contents of the repository.
    """
    request, asked = os.pipe()
    answer, answered = os.pipe()
    process = kill_point.fork(lambda: _serve(request, answered))
    replies = os.fdopen(answer, encoding="utf-8")
    url, token = json.loads(replies.readline())
    _sign_in(home, url, token)

    def contents() -> dict[str, str]:
        os.write(asked, b"?")
        return dict(json.loads(replies.readline()))

    try:
        yield process, contents
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _serve(request: int, answered: int) -> None:
    """Serve a Hub and answer each request on a pipe with the contents of its repository."""
    from hub_server import HubServer

    with HubServer() as server:
        os.write(answered, f"{json.dumps([server.url, server.token('alice')])}\n".encode())
        while os.read(request, 1):
            repo = server.repo("alice/psg-images")
            files = {
                path: hashlib.sha256(blob.data).hexdigest()
                for path, blob in repo.head.files.items()
            }
            tags = {f"tag {name}": "" for name in repo.tags}
            os.write(answered, f"{json.dumps({**files, **tags})}\n".encode())


def _sign_in(home: Path, url: str, token: str) -> None:
    """Have this process and its forks use a Hub on this machine."""
    import datasets.config
    import huggingface_hub.constants as hub

    os.environ["HF_TOKEN"] = token
    hub.ENDPOINT = url
    hub.HUGGINGFACE_CO_URL_TEMPLATE = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    hub.HF_HUB_CACHE = str(home / "hub")
    hub.HF_HUB_DISABLE_XET = True
    datasets.config.HF_ENDPOINT = url
    datasets.config.HF_DATASETS_CACHE = home / "datasets"
