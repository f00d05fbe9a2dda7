"""Pictures: every layout of a Parquet file gives the bytes that it holds, in any order, or one error."""

import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.schema import schema
from psgimg.builder.errors import BuildError
from psgimg.finetune.data import compact_thrift, data_pages, pictures
from psgimg.finetune.data.pictures import Pictures

AS_BUILT = {
    "compression": {"image.bytes": "none"},
    "use_dictionary": ["corpus"],
    "write_page_index": True,
}
LAYOUTS = {
    "as built": AS_BUILT,
    "small pages": {**AS_BUILT, "data_page_size": 4096, "write_batch_size": 2},
    "pages of version 2": {**AS_BUILT, "data_page_version": "2.0"},
    "with checksums": {**AS_BUILT, "data_page_size": 4096, "write_page_checksum": True},
    "snappy": {"compression": "snappy", "use_dictionary": False},
    "zstd, version 2": {
        "compression": "zstd",
        "use_dictionary": False,
        "data_page_version": "2.0",
    },
    "dictionary": {"compression": "none"},
    "dictionary that overflows": {"compression": "none", "dictionary_pagesize_limit": 2000},
    "delta": {
        "compression": "none",
        "use_dictionary": False,
        "column_encoding": {"image.bytes": "DELTA_LENGTH_BYTE_ARRAY"},
    },
}
IN_PLACE = ("as built", "small pages", "pages of version 2", "with checksums")


def files(n=50, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.bytes(int(rng.integers(0, 3000))) for _ in range(n)]


def written(path, values, per_group=20, **layout):
    cells = [None if value is None else {"bytes": value, "path": None} for value in values]
    images = pa.array(cells, schema().field("image").type)
    others = pa.nulls(len(values), pa.string())
    table = pa.table({"corpus": others, "image": images, "subject": others})
    pq.write_table(table, path, row_group_size=per_group, **layout)
    return path


def opened(*paths):
    located = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            located.append(pictures.located(path, file))
    return Pictures(located)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_bytes_of_every_row_in_any_order(tmp_path, layout):
    values = files()
    paths = [
        written(tmp_path / f"{i}.parquet", some, **LAYOUTS[layout])
        for i, some in enumerate((values[:30], values[30:]))
    ]
    found = opened(*paths)
    assert len(found) == len(values)
    starts = [group.start for shard in found.shards for group in shard.groups]
    assert all((start is not None) == (layout in IN_PLACE) for start in starts)
    order = np.random.default_rng(1).permutation(len(values)).tolist()
    assert found.read(order) == [values[i] for i in order]
    assert found.read(range(len(values))) == values
    with pytest.raises(IndexError, match="row 50 of 50"):
        found.read([50])


def test_the_pages_of_a_build_are_read_in_place(tmp_path):
    """Whoever changes how shards are written learns here that each picture costs a row group."""
    table = pa.Table.from_pylist([], schema=schema())
    row = dict.fromkeys(table.column_names)
    rows = [{**row, "image": {"bytes": value, "path": None}, "lanes": []} for value in files()]
    shards._write(tmp_path / "x.parquet", [], [pa.Table.from_pylist(rows, schema=schema())])
    found = opened(tmp_path / "x.parquet")
    assert all(group.start is not None for shard in found.shards for group in shard.groups)
    assert found.read(range(50)) == files()


@pytest.mark.parametrize("layout", ["as built", "snappy"])
def test_a_row_without_a_picture_has_none(tmp_path, layout):
    values = [*files(10), None, b"", *files(10, 1)]
    found = opened(written(tmp_path / "x.parquet", values, **LAYOUTS[layout]))
    assert found.read(range(len(values))) == values


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.binary(max_size=60), min_size=1, max_size=40),
    st.integers(1, 40),
    st.integers(1, 200),
    st.booleans(),
    st.sampled_from(["1.0", "2.0"]),
)
def test_pages_of_any_size_give_the_same_values(tmp_path_factory, values, per_group, size, crc, v):
    path = tmp_path_factory.mktemp("any") / "x.parquet"
    options = {"data_page_size": size, "write_batch_size": 1, "data_page_version": v}
    written(path, values, per_group, **AS_BUILT, **options, write_page_checksum=crc)
    assert opened(path).read(range(len(values))) == values


def test_only_the_picture_is_read_once_its_page_is_known(tmp_path, monkeypatch):
    values = [bytes([i]) * 5000 for i in range(200)]
    layout = {**AS_BUILT, "data_page_size": 50_000, "write_batch_size": 1}
    found = opened(written(tmp_path / "x.parquet", values, 200, **layout))
    n_read = []
    read = os.pread
    monkeypatch.setattr(os, "pread", lambda f, n, at: n_read.append(n) or read(f, n, at))
    assert found.read([100]) == [values[100]]
    assert sum(n_read) < 100_000, "headers, and the page of the picture"
    n_read.clear()
    assert found.read([101, 100]) == [values[101], values[100]]
    assert n_read == [5000, 5000]


def test_memory_is_bounded_by_open_files_and_a_few_bytes_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "OPEN_FILES", 3)
    values = files(40)
    paths = [
        written(tmp_path / f"{i}.parquet", values[i : i + 1], **AS_BUILT)
        for i in range(len(values))
    ]
    found = opened(*paths)
    before = set(Path("/proc/self/fd").iterdir())
    assert found.read(range(40)) == values
    assert len(set(Path("/proc/self/fd").iterdir()) - before) <= 3
    del found
    assert not set(Path("/proc/self/fd").iterdir()) - before


def test_a_forked_or_spawned_process_reads_the_same(tmp_path):
    values = files()
    found = opened(written(tmp_path / "x.parquet", values, **AS_BUILT))
    assert found.read([1, 30]) == [values[1], values[30]]
    forked, answers = multiprocessing.get_context("fork"), multiprocessing.SimpleQueue()
    child = forked.Process(target=lambda: answers.put(found.read(range(50)) == values))
    child.start()
    child.join()
    assert found.read(range(50)) == values
    assert not child.exitcode
    assert answers.get()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(found.read, range(50)).result() == values
    assert len(pickle.dumps(found)) < 2000, "open files and places stay behind"


@pytest.mark.parametrize("layout", ["small pages", "snappy"])
def test_threads_read_the_same(tmp_path, layout, monkeypatch):
    monkeypatch.setattr(pictures, "OPEN_FILES", 1)
    values = files(60)
    paths = [
        written(tmp_path / f"{i}.parquet", values[i * 20 : i * 20 + 20], **LAYOUTS[layout])
        for i in range(3)
    ]
    found, barrier = opened(*paths), threading.Barrier(4)

    def work(seed):
        order = np.random.default_rng(seed).permutation(60).tolist()
        barrier.wait()
        return [found.read([i]) == [values[i]] for i in order]

    with ThreadPoolExecutor(4) as pool:
        assert all(all(right) for right in pool.map(work, range(4)))


def refused(found, match):
    with pytest.raises(BuildError, match=match) as caught:
        found.read(range(len(found)))
    assert "\n" not in str(caught.value)


def test_a_shard_that_changes_while_it_is_used_is_noticed(tmp_path):
    path = written(tmp_path / "x.parquet", files(), **AS_BUILT)
    found = opened(path)
    written(path, files(seed=1), **AS_BUILT)
    refused(found, "x.parquet was changed while it was being read; run the command again")


@pytest.mark.parametrize("layout", ["as built", "snappy"])
def test_a_shard_that_is_cut_while_it_is_used_is_one_error(tmp_path, layout):
    options = {**LAYOUTS[layout], "data_page_size": 4096, "write_batch_size": 16}
    path = written(tmp_path / "x.parquet", files(2000), 2000, **options)
    found = opened(path)
    assert found.read([0]) == files(1)
    os.truncate(path, 4000)
    refused(found, r"x.parquet: the picture in row \d+ of row group 0 can't be read .* build or")


def test_a_wrong_checksum_of_a_page_is_one_error(tmp_path):
    path = written(tmp_path / "x.parquet", [b"a" * 100] * 10, **LAYOUTS["with checksums"])
    found = opened(path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"a" * 50) + 7] ^= 1
    path.write_bytes(whole)
    os.utime(path, ns=(found.shards[0].changed_ns,) * 2)
    refused(found, "row 0 of row group 0 can't be read .the checksum of the page at .* is wrong.;")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_page_is_an_error_or_as_long_as_it_was(tmp_path_factory, data):
    """No damage makes the reader loop, read beyond the chunk or take up memory."""
    path = tmp_path_factory.mktemp("damage") / "x.parquet"
    values = files(8)
    options = {"data_page_size": 4096, "write_batch_size": 1, "data_page_version": "2.0"}
    written(path, values, 8, **AS_BUILT, **options)
    found = opened(path)
    [group] = found.shards[0].groups
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(group.start, group.start + 80))
    whole[at] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    os.utime(path, ns=(found.shards[0].changed_ns,) * 2)
    try:
        got = found.read(range(8))
    except BuildError:
        return
    assert [len(value) for value in got] == [len(value) for value in values]


@given(st.binary(max_size=80))
def test_any_bytes_are_a_struct_or_a_value_error(data):
    try:
        values, end = compact_thrift.read_struct(data)
    except ValueError:
        return
    assert isinstance(values, dict)
    assert 0 < end <= len(data)


def test_a_long_header_is_read_in_full(tmp_path):
    """Headers hold the least and the greatest value of their page where a writer wants it."""
    low, high = b"a" * 3000, b"b" * 3000
    header = b"".join(
        (
            b"\x15\x00\x15\x10\x15\x10",  # type, sizes
            b"\x2c\x15\x02\x15\x00\x15\x06\x15\x06",  # field 5: one value, plain
            b"\x1c\x18\xb8\x17" + high + b"\x18\xb8\x17" + low + b"\x00",  # statistics
            b"\x00\x00",
        )
    )
    body = b"\x00\x00\x00\x00\x00\x00\x00\x00"
    source = SimpleNamespace(bytes=header + body)
    [page] = data_pages.pages(
        lambda at, n: source.bytes[at : at + n], 0, len(header) + len(body), 1
    )
    assert (page.start, page.stop, page.n_values) == (len(header), len(header) + 8, 1)
