"""Exports: what other tools read is the dataset's own pages and labels, and a name tells no stage."""

import csv
import hashlib
import json
import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import FEATURES, SPLITS
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import imagefolder, sharegpt, source, trl, webdataset
from psgimg.builder.stages import STAGE_NAMES

FORMATS = {
    "imagefolder": imagefolder,
    "sharegpt": sharegpt,
    "trl": trl,
    "webdataset": webdataset,
}
COLUMNS = [column for column in FEATURES if column != "image"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An open corpus with one scorer, then a restricted one with two."""
    root = tmp_path_factory.mktemp("corpora")
    tiny.write_hmc(root / "hmc", n_subjects=3, minutes=5)
    tiny.write_isruc(root / "isruc", minutes=5)
    table = root / "split.csv"
    table.write_text(
        "corpus,subject,split\nhmc,SN001,train\nhmc,SN002,validation\nhmc,SN003,test\n"
        "isruc,I-001,train\nisruc,I-002,test\n"
    )
    roots = (f"hmc={root / 'hmc'}", f"isruc={root / 'isruc'}")
    build(
        BuildConfig(
            ("hmc", "isruc"), roots, root / "out", style="paper", trim_min=None, split_file=table
        ),
        Remembered(),
    )
    return root / "out"


@pytest.fixture(scope="module")
def exported(built, tmp_path_factory):
    root = tmp_path_factory.mktemp("exported")
    for name, module in FORMATS.items():
        module.write(built, root / name)
    return root


def rows(folder, split):
    tables = [pq.read_table(p) for p in sorted((folder / "data").rglob(f"{split}-*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


def columns(rows):
    return [{column: row[column] for column in COLUMNS} for row in rows]


def content(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def opened(path, tmp_path, **options):
    return datasets.load_dataset(path, cache_dir=str(tmp_path / "cache"), **options)


def copied(folder, place):
    for path in folder.rglob("*"):
        if path.is_file():
            target = place / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return place


# every format


@pytest.mark.parametrize("name", FORMATS)
def test_the_pictures_are_the_datasets_byte_for_byte_and_named_by_page_alone(
    name, built, exported, tmp_path
):
    if name == "webdataset":
        for tar in (exported / name).glob("*.tar"):
            with tarfile.open(tar) as archive:
                archive.extractall(tmp_path, filter="data")
    for table in (exported / name / "data").glob("*.parquet"):
        for [picture] in pq.read_table(table)["images"].to_pylist():
            (tmp_path / picture["path"]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / picture["path"]).write_bytes(picture["bytes"])
    folder = tmp_path if name in ("trl", "webdataset") else exported / name
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.png")}
    wanted = {}
    for split in SPLITS:
        for row in rows(built, split):
            page = f"{row['corpus']}/{row['recording']}/{row['epoch']:05d}.png"
            place = {"imagefolder": f"{split}/", "sharegpt": "images/"}.get(name, "")
            wanted[f"{place}{page}"] = row["image"]["bytes"]
    assert {path: file.read_bytes() for path, file in found.items()} == wanted


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_dataset_makes_the_same_bytes(name, built, exported, tmp_path):
    FORMATS[name].write(built, tmp_path / name)
    assert content(tmp_path / name) == content(exported / name)


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_of_one_split_holds_no_page_of_another_and_progress_counts_it(
    name, built, tmp_path
):
    counted = Remembered()
    FORMATS[name].write(built, tmp_path / "out", "validation", counted)
    mark = json.loads((tmp_path / "out" / "export.json").read_text())
    wanted = rows(built, "validation")
    assert mark["rows"] == {"validation": len(wanted)}
    assert counted.n_done == len(wanted) == source.open_folder(built, "validation").n_pages
    names = " ".join(content(tmp_path / "out"))
    assert not re.search(r"train|test|SN001|SN003|I-00", names)
    with (tmp_path / "out" / "LICENSES.csv").open() as file:
        listed = {row["corpus"] for row in csv.DictReader(file)}
    assert listed == {row["corpus"] for row in wanted}
    assert (tmp_path / "out" / "CITATION.bib").is_file()


@pytest.mark.parametrize("name", FORMATS)
def test_the_readme_says_terms_citation_counts_and_how_to_load(name, built, exported):
    text = (exported / name / "README.md").read_text()
    values = json.loads((built / "build.json").read_text())
    assert "**Restricted.** The terms of `isruc` are" in text
    for entry in values["corpora"].values():
        assert all(entry[key] in text for key in ("title", "licence", "licence_url", "citation"))
    for corpus, by_split in values["counts"].items():
        for split, stages in by_split.items():
            cells = [corpus, split, *map(str, stages.values()), str(sum(stages.values()))]
            assert (f"| {' | '.join(cells)} |" in text) == any(stages.values())


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_uploaded_by_hand_keeps_its_licence_and_its_gate(name, exported):
    data = huggingface_hub.DatasetCard.load(exported / name / "README.md").data
    assert data.license == "other"
    assert data.license_link
    assert "ISRUC" in data.extra_gated_prompt
    assert any("access to" in field for field in data.extra_gated_fields)


def test_the_readmes_examples_run_beside_the_folders(exported, tmp_path):
    readmes = [(exported / name / "README.md").read_text() for name in FORMATS]
    code = [re.search(r"```python\n(.*?)```", text, re.DOTALL)[1] for text in readmes]
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": ""}
    run = subprocess.run(
        [sys.executable, "-P", "-c", "print('next')\n".join(code)],
        cwd=exported,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    (exported / "page.png").unlink(missing_ok=True)
    assert run.returncode == 0, run.stderr
    assert all(said.strip() for said in run.stdout.split("next"))


# imagefolder


def test_load_dataset_reads_an_imagefolder_with_every_column_and_the_stages_names(
    built, exported, tmp_path
):
    loaded = opened("imagefolder", tmp_path, data_dir=str(exported / "imagefolder"))
    assert set(loaded) == set(SPLITS)
    for split, part in loaded.items():
        assert part.features.to_dict() == FEATURES
        assert columns(part.remove_columns("image").to_list()) == columns(rows(built, split))
    page, row = loaded["test"][0], rows(built, "test")[0]
    assert page["image"].size == (336, 336)
    assert Path(page["image"].filename).read_bytes() == row["image"]["bytes"]


# trl


def test_load_dataset_reads_the_trl_export_with_its_splits_and_messages(built, exported, tmp_path):
    loaded = opened(str(exported / "trl"), tmp_path)
    asked = prompts.load("closed").about(json.loads((built / "build.json").read_text())["recipe"])
    for split, part in loaded.items():
        assert part.features.to_dict() == trl.FEATURES
        for page, row in zip(part.remove_columns("images"), rows(built, split), strict=True):
            assert page["prompt"][-1] == {"role": "user", "content": asked.question}
            answer = asked.answers[STAGE_NAMES[row["label"]]]
            assert page["completion"] == [{"role": "assistant", "content": answer}]
            assert all(page[key] == row[key] for key in ("corpus", "recording", "epoch"))
    assert set(loaded) == set(SPLITS)


def test_trl_shards_are_started_when_the_one_before_is_full(built, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(trl, "SHARD_BYTES", 1)
    monkeypatch.setattr(trl, "PER_GROUP", 4)
    trl.write(built, tmp_path / "out", "train")
    shards = sorted((tmp_path / "out" / "data").iterdir())
    assert len(shards) > 1
    whole = pq.read_table(exported / "trl" / "data" / "train-00000.parquet")
    assert pa.concat_tables(map(pq.read_table, shards)).equals(whole)


# webdataset


def labels_of(row):
    second = -1 if row["label_2"] is None else row["label_2"]
    return {
        **{column: row[column] for column in COLUMNS},
        "stage": STAGE_NAMES[row["label"]],
        "label_2": second,
        "votes": [0] * 5 if row["votes"] is None else row["votes"],
    }


def test_load_dataset_reads_webdataset_with_pictures_and_labels(built, exported, tmp_path):
    files = {split: str(exported / "webdataset" / f"{split}-*.tar") for split in SPLITS}
    loaded = opened("webdataset", tmp_path, data_files=files)
    for split, part in loaded.items():
        wanted = rows(built, split)
        assert part.features["png"] == datasets.Image()
        assert [sample["json"] for sample in part.remove_columns("png")] == [
            labels_of(row) for row in wanted
        ]
        assert "." not in "".join(part["__key__"])
        assert part[0]["png"].size == (336, 336)


def test_a_second_scorer_that_the_first_samples_lack_is_still_read(built, exported, tmp_path):
    wanted = rows(built, "train")
    assert all(row["label_2"] is None for row in wanted[:5])
    assert any(row["label_2"] is not None for row in wanted)
    files = {"train": str(exported / "webdataset" / "train-*.tar")}
    part = opened("webdataset", tmp_path, data_files=files, split="train", streaming=True)
    seconds = [sample["json"]["label_2"] for sample in part.remove_columns("png")]
    assert seconds == [labels_of(row)["label_2"] for row in wanted]


# webdataset 1.0 leaves the last tar to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_package_webdataset_reads_it_too(built, exported):
    reader = pytest.importorskip("webdataset", reason="needs the package webdataset")
    url = str(exported / "webdataset" / "test-{000000..000000}.tar")
    samples = list(reader.WebDataset(url, shardshuffle=False).decode("pil"))
    assert [sample["json"] for sample in samples] == [labels_of(r) for r in rows(built, "test")]
    assert samples[0]["png"].size == (336, 336)


def test_tar_headers_have_no_time_and_no_owner(exported):
    with tarfile.open(exported / "webdataset" / "train-000000.tar") as archive:
        members = archive.getmembers()
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_a_full_tar_shard_begins_another_and_no_page_is_lost(built, tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "SHARD_BYTES", 60_000)
    webdataset.write(built, tmp_path / "out")
    tars = sorted((tmp_path / "out").glob("train-*.tar"))
    assert [tar.name for tar in tars] == [f"train-{i:06d}.tar" for i in range(len(tars))]
    assert len(tars) > 2
    names = []
    for tar in tars:
        with tarfile.open(tar) as archive:
            names += archive.getnames()
    assert names == [
        f"{row['corpus']}/{row['recording']}/{row['epoch']:05d}.{kind}"
        for row in rows(built, "train")
        for kind in ("png", "json")
    ]
    readme = (tmp_path / "out" / "README.md").read_text()
    assert f"train-{{000000..{len(tars) - 1:06d}}}.tar" in readme


# sharegpt


@pytest.mark.parametrize("prompt", ["closed", "aasm"])
def test_a_conversation_has_as_many_placeholders_as_images_and_answers_with_the_stage(
    prompt, built, tmp_path
):
    sharegpt.write(built, tmp_path / "out", prompt=prompt)
    asked = prompts.load(prompt)
    system = [{"role": "system", "content": asked.system}] if asked.system else []
    for split in SPLITS:
        path = tmp_path / "out" / f"{split}.jsonl"
        chats = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert len(chats) == len(rows(built, split))
        for chat, row in zip(chats, rows(built, split), strict=True):
            user, assistant = chat["messages"][-2:]
            assert chat["messages"][:-2] == system
            assert (user["role"], assistant["role"]) == ("user", "assistant")
            text = "".join(message["content"] for message in chat["messages"])
            assert ("is up: a sharp negative wave points" in text) == (prompt == "aasm")
            assert "{" not in text
            assert text.count("<image>") == len(chat["images"]) == 1
            assert assistant["content"] == STAGE_NAMES[row["label"]]
            assert (tmp_path / "out" / chat["images"][0]).read_bytes() == row["image"]["bytes"]
            assert all(chat[key] == row[key] for key in ("corpus", "subject", "recording", "epoch"))
            assert "label" not in chat  # to ms-swift a label of another kind


def test_a_prompt_of_ones_own_decides_the_answers(built, tmp_path):
    path = tmp_path / "german.yaml"
    path.write_text(
        "system: ''\nquestion: Welches Schlafstadium?\n"
        "answers: {W: wach, N1: eins, N2: zwei, N3: drei, REM: Traum}\n"
    )
    sharegpt.write(built, tmp_path / "out", "test", prompt=str(path))
    lines = (tmp_path / "out" / "test.jsonl").read_text().splitlines()
    answers = [json.loads(line)["messages"][-1]["content"] for line in lines]
    words = ("wach", "eins", "zwei", "drei", "Traum")
    assert answers == [words[row["label"]] for row in rows(built, "test")]
    mark = json.loads((tmp_path / "out" / "export.json").read_text())
    assert mark["prompt"]["answers"]["REM"] == "Traum"


def test_dataset_info_lists_the_splits_as_llama_factory_documents_it(exported):
    info = json.loads((exported / "sharegpt" / "dataset_info.json").read_text())
    assert set(info) == {f"psgimg_{split}" for split in SPLITS}
    chat = json.loads((exported / "sharegpt" / "train.jsonl").read_text().splitlines()[0])
    for entry in info.values():
        assert set(entry) == {"file_name", "formatting", "columns", "tags"}
        assert (exported / "sharegpt" / entry["file_name"]).exists()
        assert entry["formatting"] == "sharegpt"
        assert set(entry["columns"].values()) <= set(chat)
        tags = entry["tags"]
        assert {tags["role_tag"], tags["content_tag"]} == set(chat["messages"][0])
        roles = [tags[f"{role}_tag"] for role in ("system", "user", "assistant")]
        assert roles == ["system", "user", "assistant"]


def test_the_json_loader_reads_the_lines(built, exported, tmp_path):
    files = {split: str(exported / "sharegpt" / f"{split}.jsonl") for split in SPLITS}
    loaded = opened("json", tmp_path, data_files=files)
    for split, part in loaded.items():
        assert [chat[-1]["content"] for chat in part["messages"]] == [
            STAGE_NAMES[row["label"]] for row in rows(built, split)
        ]


# what is refused


def test_an_unfinished_or_damaged_dataset_is_refused_and_nothing_is_left(built, tmp_path):
    first = json.loads((built / "build.json").read_text())["shards"][0]["path"]

    def without_report(folder):
        (folder / "build.json").unlink()

    def being_built(folder):
        (folder / ".psgimg").mkdir()

    def damaged_report(folder):
        (folder / "build.json").write_text("{")

    def without_shard(folder):
        (folder / first).unlink()

    def other_rows(folder):
        part = pq.read_table(folder / first)
        pq.write_table(part.slice(0, 3), folder / first)

    def torn_shard(folder):
        (folder / first).write_bytes((folder / first).read_bytes()[:-100])

    def zeroed_shard(folder):
        data = bytearray((folder / first).read_bytes())
        data[1000:3000] = bytes(2000)
        (folder / first).write_bytes(data)

    def unknown_shard(folder):
        (folder / "data" / "hmc" / "more.parquet").write_bytes((folder / first).read_bytes())

    faults = {
        without_report: "not a finished build",
        being_built: "not a finished build",
        damaged_report: "build.json is damaged",
        without_shard: f"{first} is missing",
        other_rows: f"{first} has changed since it was built",
        torn_shard: f"{first} has changed since it was built",
        zeroed_shard: f"{first} has changed since it was built",
        unknown_shard: "more.parquet is not in build.json",
    }
    for fault, message in faults.items():
        folder = copied(built, tmp_path / fault.__name__)
        fault(folder)
        for module in FORMATS.values():
            with pytest.raises(BuildError, match=re.escape(message)) as caught:
                module.write(folder, tmp_path / "out")
            assert "\n" not in str(caught.value)
            assert not (tmp_path / "out").exists()


def test_an_export_of_one_split_needs_the_shards_of_that_split_alone(built, exported, tmp_path):
    folder = copied(built, tmp_path / "fetched")
    for path in (folder / "data").rglob("*.parquet"):
        if not path.name.startswith("test-"):
            path.unlink()
    webdataset.write(folder, tmp_path / "out", "test")
    assert {path.name for path in (tmp_path / "out").glob("*.tar")} == {"test-000000.tar"}
    with pytest.raises(BuildError, match="is missing"):
        webdataset.write(folder, tmp_path / "out")


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_given_for_a_dataset_is_named(name, exported, tmp_path):
    with pytest.raises(
        BuildError, match=f"is an? {name} export; use the folder that `psgimg build`"
    ):
        webdataset.write(exported / name, tmp_path / "out")


def test_an_unknown_split_is_refused_with_those_there_are(built, tmp_path):
    with pytest.raises(BuildError, match=r"--split dev: .* has only all, train, validation, test"):
        webdataset.write(built, tmp_path / "out", "dev")


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_with_anything_else_in_it_is_refused_and_kept(name, built, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        BuildError, match=rf"contains notes.txt, which is not part of an earlier {name}"
    ):
        FORMATS[name].write(built, tmp_path)
    assert content(tmp_path).keys() == {"notes.txt"}


def test_an_export_is_not_written_over_another_format_or_over_files_added_to_it(built, tmp_path):
    sharegpt.write(built, tmp_path / "out", "test")
    with pytest.raises(BuildError, match="earlier webdataset export"):
        webdataset.write(built, tmp_path / "out")
    (tmp_path / "out" / "adapter").mkdir()
    with pytest.raises(BuildError, match="contains adapter"):
        sharegpt.write(built, tmp_path / "out")


@pytest.mark.parametrize("name", FORMATS)
def test_files_that_were_added_inside_an_export_are_refused_and_kept(
    name, built, exported, tmp_path
):
    out = copied(exported / name, tmp_path / name)
    place = next((path for path in sorted(out.iterdir()) if path.is_dir()), out)
    (place / "mine.txt").write_text("mine")
    before = content(out)
    with pytest.raises(BuildError, match=r"--out .* (1 more files|mine\.txt).*--out"):
        FORMATS[name].write(built, out)
    assert content(out) == before


def test_an_earlier_export_in_the_format_is_replaced_whole(built, exported, tmp_path):
    for name, module in FORMATS.items():
        module.write(built, tmp_path / name, "validation")
        module.write(built, tmp_path / name)
        assert content(tmp_path / name) == content(exported / name)
    assert {path.name for path in tmp_path.iterdir()} == set(FORMATS)


def test_an_export_into_the_dataset_itself_is_refused(built):
    for place in (built, built / "webdataset"):
        with pytest.raises(BuildError, match="is inside the dataset"):
            webdataset.write(built, place)


def test_killed_at_any_moment_no_folder_exists_and_the_next_export_is_complete(
    built, exported, tmp_path
):
    out = tmp_path / "imagefolder"
    slow = (
        "import sys, time; from pathlib import Path\n"
        "from psgimg.builder.exports import imagefolder\n"
        "class Slow:\n"
        "    def advance(self, n): print(n, flush=True); time.sleep(600)\n"
        "imagefolder.write(Path(sys.argv[1]), Path(sys.argv[2]), progress=Slow())\n"
    )
    command = [sys.executable, "-P", "-c", slow, str(built), str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout.readline()
    with pytest.raises(BuildError, match="another export is writing"):
        imagefolder.write(built, out)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    assert list(tmp_path.rglob("*.png"))
    imagefolder.write(built, out)
    assert content(out) == content(exported / "imagefolder")
    assert [path.name for path in tmp_path.iterdir()] == ["imagefolder"]


def test_a_failed_write_leaves_nothing_and_says_where(built, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match=r"can't write .*file/out: .*--out"):
        sharegpt.write(built, tmp_path / "file" / "out")
    with pytest.raises(BuildError, match="is a file; choose another --out"):
        sharegpt.write(built, tmp_path / "file")
    with pytest.raises(AttributeError):
        sharegpt.write(built, tmp_path / "out", progress=None)
    assert content(tmp_path).keys() == {"file"}


def test_a_page_s_name_stays_in_its_folder_and_has_no_dot():
    row = {"corpus": "a.b", "recording": "../night 1", "epoch": 7}
    assert source.name(row) == "a~2Eb/~2E~2E~2Fnight~201/00007"
