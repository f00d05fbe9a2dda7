"""The clock of a file system, which may stand still for some milliseconds."""

from pathlib import Path

from patience import wait_for


def moved_on(path: Path) -> None:
    """Wait until the next change to a file, or to one in its place, gets a later time than its last."""
    probe = path.with_name(f".{path.name}.probe")

    def is_later() -> bool:
        probe.touch()
        return probe.stat().st_ctime_ns > path.stat().st_ctime_ns

    wait_for(is_later)
    probe.unlink()
