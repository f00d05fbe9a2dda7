"""A corpus whose files need a package that is not installed: said at once, before a byte comes."""

import sys

import pytest
from open_servers import BucketServer
from progress import Remembered
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.build import build
from psgimg.builder.check import check
from psgimg.builder.corpora.registry import CORPORA
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.preview import PreviewConfig, preview
from psgimg.builder.recordings.open_signal import open_signal

NEEDING = {name: one.package for name, one in CORPORA.items() if one.package}
REMEDY = r'which is not installed; type: pip install "psgimg\[corpora\]"$'


@pytest.fixture(params=NEEDING)
def source(request, monkeypatch):
    monkeypatch.setitem(sys.modules, NEEDING[request.param], None)
    return request.param


def test_corpora_in_wfdb_and_hdf5_need_one():
    assert NEEDING == {"cinc2018": "wfdb", "dod-h": "h5py", "dod-o": "h5py"}


@pytest.mark.parametrize("command", [build, check])
def test_a_build_ends_before_it_asks_a_server(source, command, tmp_path, monkeypatch):
    server = BucketServer()
    for name in ("PHYSIONET", "ZENODO"):
        monkeypatch.setenv(f"PSGIMG_{name}_URL", server.url)
    config = BuildConfig(
        (source,), (str(tmp_path / "root"),), tmp_path / "out", fetch=FetchConfig()
    )
    with pytest.raises(BuildError, match=rf"{source} is read by {NEEDING[source]}, {REMEDY}"):
        command(config, Remembered())
    server.close()
    assert not server.seen
    assert not (tmp_path / "root").exists()


def test_so_does_a_preview(source, tmp_path):
    config = PreviewConfig(None, source, str(tmp_path), "night", out=tmp_path / "page.png")
    with pytest.raises(BuildError, match=REMEDY):
        preview(config)


@pytest.mark.parametrize(
    ("package", "name", "content"),
    [("h5py", "night.h5", b"\x89HDF\r\n\x1a\n"), ("wfdb", "night.hea", b"night 1 200 100\n")],
)
def test_a_single_file_names_the_package(package, name, content, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=rf"{name} is read by {package}, {REMEDY}"):
        open_signal(tmp_path / name)
