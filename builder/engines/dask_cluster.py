"""Dask cluster: connect to a scheduler that runs, or start workers as jobs of SLURM."""

from __future__ import annotations

import inspect
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file
from psgimg.builder.words import counted

if TYPE_CHECKING:
    from distributed import Client

PACKAGES = 'pip install "psgimg[cluster]"'
QUIET = {"logging": {"distributed": "critical", "distributed.client": "critical"}}
TIMEOUT_S = 20
JOBS = "jobs"
NEEDED = ("cores", "memory")
"""What a job must ask for."""


@contextmanager
def opened(where: str, note: Callable[[str], None]) -> Iterator[Client]:
    """Yield a client of a Dask cluster; workers that this command has started end with it.

    Parameters
    ----------
    where
        Address of a scheduler, the file that it has written, or a YAML file with the arguments of
        ``dask_jobqueue.SLURMCluster`` and the number of ``jobs``.

    Raises
    ------
    BuildError
        If no scheduler answers, or a package or the file is missing.
    """
    try:
        import dask

        with dask.config.set(QUIET):  # it reports each attempt to reach a worker
            import distributed
    except ImportError as error:
        raise BuildError(f"--cluster needs Dask: {PACKAGES}") from error
    path = Path(where)
    with ExitStack() as stack:
        try:
            if path.suffix in (".yaml", ".yml"):
                client = distributed.Client(stack.enter_context(_slurm(path)), timeout=TIMEOUT_S)
            elif path.suffix == ".json":
                if not path.is_file():
                    raise BuildError(
                        f"--cluster {where}: no such file; start `dask scheduler` first"
                    )
                client = distributed.Client(scheduler_file=where, timeout=TIMEOUT_S)
            else:
                client = distributed.Client(where, timeout=TIMEOUT_S)
        # Dask asserts that its own thread has started, which a busy machine may not manage in time.
        except (OSError, ValueError, AssertionError) as error:
            raise BuildError(
                f"--cluster {where}: no scheduler answers there ({error}); give an address such as "
                "tcp://HOST:8786, the file of --scheduler-file, or a YAML file for SLURM"
            ) from error
        stack.enter_context(client)
        n_workers = len(client.scheduler_info(n_workers=-1)["workers"])
        waits = "" if n_workers else "; waiting for the first"
        note(f"{counted(n_workers, 'worker')} at {client.scheduler.address}{waits}")
        yield client


@contextmanager
def _slurm(path: Path) -> Iterator[Any]:
    """Yield a cluster whose workers are jobs of SLURM, described in a YAML file."""
    try:
        with _signals_kept():
            import dask
            from dask_jobqueue import SLURMCluster
            from dask_jobqueue.core import Job
            from dask_jobqueue.slurm import SLURMJob
    except ImportError as error:
        raise BuildError(f"--cluster {path} needs dask-jobqueue: {PACKAGES}") from error
    values = yaml_file.read(path, "--cluster")
    jobs = values.pop(JOBS, None)
    if not isinstance(jobs, int) or jobs < 1:
        raise BuildError(f"--cluster {path}: jobs is {jobs}; give the number of jobs, such as 20")
    known = {
        name for one in (SLURMCluster, SLURMJob, Job) for name in inspect.signature(one).parameters
    }
    if unknown := sorted(map(str, set(values) - known)):
        raise BuildError(
            f"--cluster {path}: unknown key {', '.join(unknown)}; use jobs and the arguments of "
            "dask_jobqueue.SLURMCluster"
        )
    own = dask.config.get("jobqueue.slurm", {})  # of the user's Dask, before its defaults
    if missing := [key for key in NEEDED if {**own, **values}.get(key) is None]:
        raise BuildError(
            f"--cluster {path}: {' and '.join(missing)} missing; say how much a job gets"
        )
    try:
        cluster = SLURMCluster(**values)
    except (TypeError, ValueError) as error:
        raise BuildError(f"--cluster {path}: {error}; correct the file") from error

    async def submitted() -> None:
        await cluster

    try:
        cluster.scale(jobs=jobs)
        cluster.sync(submitted)
        if not any(job.job_id for job in cluster.workers.values()):
            raise BuildError(
                f"--cluster {path}: its jobs can't be submitted; try `sbatch` on this machine, and correct "
                "the file"
            )
        yield cluster
    finally:
        with suppress(AssertionError):  # of Dask, about jobs that were not submitted
            cluster.close()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what dask-jobqueue does when it is imported: it has Ctrl-C end the process as if all were well."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
