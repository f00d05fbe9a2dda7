"""Models: loaded with what they were taught by, or refused in one line."""

import dataclasses
import json
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from psgimg.builder.dataset import prompts
from psgimg.builder.errors import BuildError
from psgimg.builder.render.recipe import digest

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
from psgimg.finetune.models.loading import load_base, load_for_inference, load_processor, refusal  # noqa: E402
from psgimg.finetune.models.manifest import ModelFolder  # noqa: E402

RECIPE = {"version": 1, "style": {"width_px": 224}}
FOLDER = ModelFolder(
    prompt=prompts.load("aasm"),
    prompt_name="aasm",
    context=1,
    recipe=RECIPE,
    recipe_hash=digest(RECIPE),
    policy="open",
    corpora=("demo",),
    subjects=("0123456789abcdef",),
    dataset={"id": "pages", "config": "all", "revision": None},
    base_model="tiny",
    max_pixels=None,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava") / "model"
    tiny_models.build("llava", folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """A model that a test may spoil."""
    return shutil.copytree(whole, tmp_path / "copy")


def test_what_a_model_was_taught_by_comes_back(tmp_path):
    FOLDER.save(tmp_path)
    assert ModelFolder.load(tmp_path) == FOLDER
    values = json.loads((tmp_path / "psgimg.json").read_text())
    assert set(values["prompt"]) == {"name", "system", "question", "answers"}
    before = (tmp_path / "psgimg.json").read_bytes()
    ModelFolder.load(tmp_path).save(tmp_path)
    assert (tmp_path / "psgimg.json").read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda v: v.pop("recipe"), "no recipe; restore the file as written by `psgimg sft`"),
        (lambda v: v["recipe"].update(version=2), "the recipe does not match its hash"),
        (lambda v: v.update(prompt={"system": ""}), "prompt"),
    ],
)
def test_a_spoilt_description_is_refused(tmp_path, spoil, said):
    FOLDER.save(tmp_path)
    path = tmp_path / "psgimg.json"
    values = json.loads(path.read_text())
    spoil(values)
    path.write_text(json.dumps(values))
    with pytest.raises(BuildError, match=said):
        ModelFolder.load(tmp_path)


def test_a_description_that_is_no_json_or_not_there_is_refused(tmp_path):
    with pytest.raises(BuildError, match=r"has no psgimg\.json; use a folder"):
        ModelFolder.load(tmp_path)
    (tmp_path / "psgimg.json").write_text("{")
    with pytest.raises(BuildError, match="copy it again"):
        ModelFolder.load(tmp_path)


def test_any_vision_language_model_is_loaded_and_says_whether_psgimg_taught_it(copy):
    assert load_for_inference(str(copy)).folder is None
    FOLDER.save(copy)
    loaded = load_for_inference(str(copy))
    assert loaded.folder == FOLDER
    assert not loaded.model.training
    assert loaded.model.dtype == torch.float32  # whatever the weights, on a CPU


def test_a_model_without_a_chat_template_is_refused_unless_one_is_given(copy):
    (copy / "chat_template.jinja").unlink()
    with pytest.raises(BuildError, match=r"no chat template.*--chat-template-path"):
        load_processor(str(copy))
    assert load_processor(str(copy), template_elsewhere=True) is not None


def test_a_model_of_words_alone_is_refused(tmp_path):
    from transformers import LlamaConfig

    LlamaConfig().save_pretrained(tmp_path)
    with pytest.raises(BuildError, match="llama is not a model for pictures and text") as caught:
        load_base(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_alone_is_no_processor(copy):
    (copy / "processor_config.json").unlink()
    with pytest.raises(
        BuildError, match=r"has no processor_config\.json; copy the file from its base"
    ) as caught:
        load_processor(str(copy))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("load", [load_base, load_processor, load_for_inference])
def test_a_folder_that_is_not_there_is_refused(load, tmp_path):
    with pytest.raises(BuildError, match="a model is a folder, such as") as caught:
        load(str(tmp_path / "nothing"))
    assert "\n" not in str(caught.value)


def test_code_that_comes_with_a_model_is_not_run_unless_asked(copy):
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "own.py").write_text("raise SystemExit('it ran')\n")
    with pytest.raises(BuildError, match="custom code; review it, then pass --trust-remote-code"):
        load_base(str(copy))


def test_a_processor_for_videos_asks_for_torchvision(tmp_path):
    if find_spec("torchvision"):
        pytest.skip("torchvision is installed")
    tiny_models.build("qwen2_5_vl", tmp_path / "model")
    with pytest.raises(BuildError, match="pip install torchvision"):
        load_processor(str(tmp_path / "model"))


def test_a_model_that_this_transformers_does_not_know_is_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model_type": "of_tomorrow"}))
    with pytest.raises(BuildError, match="pip install --upgrade transformers"):
        load_base(str(copy))


def test_weights_in_four_bit_ask_for_their_library():
    error = ImportError("Using `bitsandbytes` 4-bit quantization requires bitsandbytes")
    assert "pip install bitsandbytes" in str(refusal("some/model", error))


def test_without_torch_one_line_tells_what_to_install():
    code = (
        "import sys\n"
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('torch', 'trl') else find(name, *a)\n"
        "from psgimg.finetune import optional_dependencies\n"
        "from psgimg.builder.errors import BuildError\n"
        "try:\n"
        "    optional_dependencies.require()\n"
        "except BuildError as error:\n"
        "    print(error)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "fine-tuning needs torch, trl; install with: pip install 'psgimg[finetune]'\n"
    )


def test_every_field_of_the_description_is_written(tmp_path):
    FOLDER.save(tmp_path)
    written = set(json.loads((tmp_path / "psgimg.json").read_text()))
    assert written == {field.name for field in dataclasses.fields(FOLDER)} - {"prompt_name"}
