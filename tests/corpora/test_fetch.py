"""psgimg build --source sleep-edf --fetch: what is asked of MNE, and what its failures become."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import mne
import pytest
from click.testing import CliRunner
from mne.datasets.sleep_physionet import age, temazepam
from psgimg.builder.cli import command_line
from psgimg.builder.corpora import sleep_edf
from psgimg.builder.errors import BuildError

TABLES = Path(mne.__file__).parent / "datasets" / "sleep_physionet"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace MNE's two downloaders, which need the network, by ones that note the question."""
    calls: dict[str, Any] = {}
    for module in (age, temazepam):

        def note(subjects: list[int], _name: str = module.__name__, **options: Any) -> list[str]:
            calls[_name.rpartition(".")[2]] = (subjects, options["path"])
            return []

        monkeypatch.setattr(module, "fetch_data", note)
    return calls


def test_subjects_go_to_the_downloader_of_their_study_by_mne_numbers(asked, tmp_path: Path) -> None:
    sleep_edf.fetch(["SC400", "sc482", "ST701", "ST724"], tmp_path / "new")
    assert asked == {
        "age": ([0, 82], tmp_path / "new"),
        "temazepam": ([0, 21], tmp_path / "new"),
    }


@pytest.mark.parametrize(
    ("words", "variable", "folder"),
    [
        (("--root", "a=b"), "", "a=b"),
        (("--root", "sleep-edf=~/nights"), "", "nights"),
        ((), "stated", "stated"),
        ((), "", "."),
    ],
)
def test_recordings_go_to_the_folder_that_the_build_reads(
    asked, words, variable, folder, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PSGIMG_SLEEP_EDF_ROOT", variable)
    fetching = ["build", "--source", "sleep-edf", "--subjects", "SC400", "--fetch", *words]
    CliRunner().invoke(command_line(), fetching)
    [(_, place)] = asked.values()
    assert place.resolve() == tmp_path / folder


def test_one_study_alone_does_not_touch_the_other(asked, tmp_path: Path) -> None:
    sleep_edf.fetch(["SC400"], tmp_path)
    assert set(asked) == {"age"}


def test_no_subjects_means_all(asked, tmp_path: Path) -> None:
    sleep_edf.fetch([], tmp_path)
    assert [len(subjects) for subjects, _ in asked.values()] == [78, 22]


@pytest.mark.parametrize("name", ["SC439", "SC483", "ST703", "ST725", "S001"])
def test_subjects_that_do_not_exist_are_refused_before_any_download(
    asked, name: str, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match=f"no subject {name}"):
        sleep_edf.fetch(["SC400", name], tmp_path)
    assert not asked


@pytest.mark.parametrize(
    "error", [ConnectionError("no\n route"), RuntimeError(), ValueError("sha")]
)
def test_a_failed_download_becomes_one_line_with_a_remedy(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(age, "fetch_data", fail)
    with pytest.raises(BuildError, match="download of sleep-edf failed") as caught:
        sleep_edf.fetch(["SC400"], tmp_path)
    assert "\n" not in str(caught.value)
    assert "physionet.org" in str(caught.value)


def test_subject_numbers_are_those_of_the_tables_that_mne_ships() -> None:
    with (TABLES / "temazepam_records.csv").open() as file:
        pairs = {(int(row["subject"]), row["fname_PSG"][:5]) for row in csv.DictReader(file)}
    assert pairs == set(enumerate(sleep_edf.ST_SUBJECTS))
    with (TABLES / "age_records.csv").open() as file:
        found = {(int(row["subject"]), row["fname"][:5]) for row in csv.DictReader(file)}
    assert found == {(int(name[3:]), name) for name in sleep_edf.SC_SUBJECTS}
