"""A Dask cluster on this machine: a scheduler and its workers, each a process that can be killed."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from patience import wait_for

QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "warning"}


class DaskProcesses:
    """Scheduler and workers; ``file`` is that by which a command finds them."""

    def __init__(self, folder: Path, n_workers: int, code: str = ""):
        self.folder, self.code = folder, code
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen] = []
        self._n_started = 0
        words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file"]
        self.scheduler = self._start("scheduler", *words, str(self.file))
        self._wait_for(self.file.exists)
        for _ in range(n_workers):
            self.add_worker()

    def add_worker(self) -> subprocess.Popen:
        """Start a worker that nothing starts again when it dies."""
        words = ["--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny"]
        worker = self._start("worker", *words, "--no-dashboard", "--death-timeout", "60")
        self.workers.append(worker)
        return worker

    def kill_worker(self, worker: subprocess.Popen) -> None:
        """Kill a worker as the kernel does when memory runs out."""
        worker.kill()
        worker.wait()
        self.workers.remove(worker)

    def close(self) -> None:
        """End all processes."""
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self) -> str:
        """What all processes have written."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def _start(self, *words: str) -> subprocess.Popen:
        self._n_started += 1
        with (self.folder / f"{self._n_started}-{words[0]}.log").open("wb") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-P", "-c"),
                    f"{self.code}\nfrom distributed.cli import dask_{words[0]} as one; one.main()",
                    *words[1:],
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                env={**os.environ, **QUIET},
            )

    def _wait_for(self, condition) -> None:
        wait_for(condition, self.log)
