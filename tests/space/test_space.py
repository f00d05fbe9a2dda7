"""psgimg space: a page for the Hub that says its limits, is private where the model is, and stages a night."""

import ast
import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest
import tiny
import tiny_models
import yaml
from click.testing import CliRunner
from hub_client import signed_in
from huggingface_hub import HfApi
from lasting_port import lasting_port
from patience import PATIENCE_S, wait_for
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import build_report, prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.finetune.space import space
from psgimg.finetune.terminal.space_command import space as command
from tiny_manifest import manifest

GRADIO = "PSGIMG_TEST_GRADIO"
"""Variable that names the Python of an environment with gradio, which can't share psgimg's Pillow."""

CHANNELS = "C4-M1=EEG\nC3-M2=EEG(sec)"

CLIENT = """
import sys
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
client = Client(sys.argv[1], verbose=False, download_files=sys.argv[3])
try:
    picture, table, archive, notes = client.predict(
        handle_file(sys.argv[2]), "60", "", "60", sys.argv[4], api_name="/stage"
    )
except AppError as error:
    print("refused:", error)
else:
    print(archive)
    print(table["data"] if "data" in table else table)
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("space-corpus")
    tiny.write_shhs(root, n_subjects=1, visits=(1,))
    return root


@pytest.fixture(scope="module")
def model(corpus, tmp_path_factory):
    """A model folder as `psgimg sft` writes it, of an open corpus."""
    place = tmp_path_factory.mktemp("space-model")
    config = BuildConfig(("shhs",), (str(corpus),), place / "built", splits="1/0/0", trim_min=None)
    build(config, Remembered())
    tiny_models.build("idefics3", place / "model", texts=[prompts.load("closed").question])
    values = {"policy": "open", "corpora": ("demo",), "subjects": ("0" * 16,)}
    manifest(build_report.read(config.out), **values).save(place / "model")
    return place / "model"


@pytest.fixture
def hub(tmp_path):
    with signed_in(tmp_path / "home") as server:
        yield server


def published(folder, name, *, private=False):
    api = HfApi()
    made = api.create_repo(name, private=private, repo_type="model")
    api.upload_folder(folder_path=folder, repo_id=made.repo_id, repo_type="model")
    return made.repo_id


def header(out):
    return yaml.safe_load((out / "README.md").read_text(encoding="utf-8").split("---")[1])


def test_a_public_model_has_a_page_that_states_its_limits(model, hub, tmp_path):
    name = published(model, "alice/stager")
    written = space.write(name, tmp_path / "page")
    assert not written.private
    assert sorted(path.name for path in written.out.iterdir()) == sorted(space.FILES)
    assert header(written.out) == header(written.out) | {"sdk": "docker", "models": [name]}
    app = (written.out / "app.py").read_text(encoding="utf-8")
    ast.parse(app)
    assert "Not for diagnosis" in app
    assert "learned from demo" in app
    assert f'or "{name}"' in app or f"or '{name}'" in app
    assert "psgimg[finetune]==" in (written.out / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("private", [True, False])
def test_a_page_is_private_where_the_model_or_its_corpora_are(model, hub, tmp_path, private):
    folder = shutil.copytree(model, tmp_path / "model")
    if not private:
        text = (folder / "psgimg.json").read_text(encoding="utf-8")
        assert '"demo"' in text
        text = text.replace('"demo"', '"shhs"').replace(
            '"policy": "open"', '"policy": "restricted"'
        )
        (folder / "psgimg.json").write_text(text, encoding="utf-8")
    name = published(folder, "alice/secret", private=private)
    shown = CliRunner().invoke(command, ["--model", name, "--out", str(tmp_path / "page")])
    assert shown.exit_code == 0, shown.output
    assert "--private" in shown.output
    why = "private or gated" if private else "pages of shhs"
    assert why in (tmp_path / "page" / "README.md").read_text(encoding="utf-8")
    assert "license" not in header(tmp_path / "page")


def test_what_can_not_be_a_page_is_refused_in_one_line(model, hub, tmp_path):
    for name, said in ((str(model), "psgimg push"), ("alice/none", "alice/none")):
        with pytest.raises(BuildError, match=said) as refused:
            space.write(name, tmp_path / "page")
        assert "\n" not in str(refused.value)
    folder = shutil.copytree(model, tmp_path / "other")
    (folder / "psgimg.json").unlink()
    other = published(folder, "alice/other")
    with pytest.raises(BuildError, match="no recipe for its pages"):
        space.write(other, tmp_path / "page")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(BuildError, match="exists already"):
        space.write(other, tmp_path / "full")
    assert not (tmp_path / "page").exists()


def test_a_night_dropped_on_the_page_is_staged_and_then_forgotten(model, corpus, hub, tmp_path):
    python = os.environ.get(GRADIO)
    if not python:
        pytest.skip(f"no environment with gradio; name its Python in {GRADIO}")
    page = space.write(published(model, "alice/stager"), tmp_path / "page").out
    port = lasting_port()
    uploads = tmp_path / "uploads"
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "HF_ENDPOINT")},
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "MODEL": str(model),
        "HF_HUB_OFFLINE": "1",
        "PSGIMG": str(Path(sys.executable).with_name("psgimg")),
        "GRADIO_TEMP_DIR": str(uploads),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "TMPDIR": str(tmp_path),
    }
    night = next(corpus.rglob("*.edf"))
    address = f"http://127.0.0.1:{port}/"
    server = subprocess.Popen([python, "app.py"], cwd=page, env=environment)
    try:
        _await(address, server)
        refused = _ask(python, address, night, tmp_path / "got", environment, channels="")
        assert "write it into the field for channels" in refused
        assert list(uploads.rglob(night.name))  # for another try
        answered = _ask(python, address, night, tmp_path / "got", environment)
        assert not answered.startswith("refused"), answered
        archive, table = answered.splitlines()[:2]
        with zipfile.ZipFile(archive) as packed:
            assert {"hypnogram.csv", "hypnogram.edf", "statistics.json"} <= set(packed.namelist())
        assert "total recording time" in table
        wait_for(  # Gradio names uploads by their content: both were one
            lambda: not list(uploads.rglob(night.name)), lambda: "for the deletion of the recording"
        )
        assert not list(tmp_path.glob("night-*"))
        wrong = tmp_path / "not-a-night.edf"
        wrong.write_bytes(b"no recording")
        assert "refused: not an EDF file: not-a-night.edf" in _ask(
            python, address, wrong, tmp_path / "got", environment
        )
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def _await(address, server):
    def is_up():
        assert server.poll() is None, "the page ended"
        try:
            urllib.request.urlopen(address, timeout=PATIENCE_S).close()
        except OSError:
            return False
        return True

    wait_for(is_up, lambda: "for the page")


def _ask(python, address, night, out, environment, channels=CHANNELS):
    done = subprocess.run(
        [python, "-c", CLIENT, address, str(night), str(out), channels],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
