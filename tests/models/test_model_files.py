"""Model files: what is missing or damaged is named with its remedy, and never replaced by chance."""

import json
import shutil

import pytest
from PIL import Image
from psgimg.builder.dataset import prompts
from psgimg.builder.errors import BuildError
from psgimg.finetune.data.chat import chat_row
from psgimg.finetune.models import identity, model_files

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from psgimg.finetune.inference.encoding import candidates  # noqa: E402
from psgimg.finetune.models.loading import load_base, load_for_inference, load_processor  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

WEIGHTS, ADAPTED = "model.safetensors", "adapter_model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava") / "model"
    tiny_models.build("llava", folder)
    return folder


@pytest.fixture(scope="module")
def adapter(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora") / "adapter"
    get_peft_model(load_base(str(whole)), LoraConfig(target_modules=["q_proj"])).save_pretrained(
        folder
    )
    load_processor(str(whole)).save_pretrained(folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """A model that a test may spoil."""
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.fixture
def adapted(adapter, tmp_path):
    """An adapter that a test may spoil."""
    return shutil.copytree(adapter, tmp_path / "adapted")


def cut(path, n_bytes):
    path.write_bytes(path.read_bytes()[:n_bytes])


def without_first(path):
    weights = load_file(path)
    del weights[min(weights)]
    save_file(weights, path, {"format": "pt"})


def refusal(folder):
    with pytest.raises(BuildError) as caught:
        load_for_inference(str(folder))
    assert "\n" not in str(caught.value)
    assert "hf auth login" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "processor_config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_file_is_named(copy, name, content):
    (copy / name).write_text(content)
    assert refusal(copy).startswith(f"{copy / name} is damaged (")


@pytest.mark.parametrize("n_bytes", [0, 4, 100, 100_000])
def test_truncated_weights_are_named_with_their_size(copy, n_bytes):
    cut(copy / WEIGHTS, n_bytes)
    said = refusal(copy)
    assert said.startswith(f"{copy / WEIGHTS} is damaged ({n_bytes:,} ")
    assert said.endswith("copy or download the model again")


def test_bytes_that_are_no_weights_are_named(copy):
    (copy / WEIGHTS).write_bytes((2).to_bytes(8, "little") + b"[]")
    assert refusal(copy).startswith(f"{copy / WEIGHTS} is damaged (its header can't be read)")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config.json", "has no config.json; use the folder of a model"),
        (WEIGHTS, "has no weights"),
        (
            "processor_config.json",
            "has no processor_config.json; copy the file from its base model",
        ),
        ("tokenizer.json", "has no tokenizer.json; copy the file from its base model"),
    ],
)
def test_a_missing_file_is_named(copy, name, said):
    (copy / "training_args.bin").write_bytes(b"")  # is no weights
    (copy / name).unlink()
    assert refusal(copy).startswith(f"{copy} {said}")


def test_a_missing_shard_is_named(copy):
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
    (copy / WEIGHTS).unlink()
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    assert refusal(copy).startswith(f"{copy} has no model-00002-of-00002.safetensors, which ")


def test_a_model_saved_without_torchvision_asks_for_the_file_that_is_missing(copy):
    said = (  # transformers 5.24, with torchvision, of a Qwen model saved without
        f"Can't load video processor for '{copy}'. If you were trying to load it from "
        "'https://huggingface.co/models', make sure you don't have a local directory with the same "
        f"name. Otherwise, make sure '{copy}' is the correct path to a directory containing a "
        "video_preprocessor_config.json file"
    )
    assert model_files.fault(copy, said) == (
        f"{copy} has no video_preprocessor_config.json, as the model was saved without torchvision; "
        "copy that file from its base model"
    )


def test_a_sound_model_has_no_fault(whole, adapter):
    assert model_files.fault(whole, "") is None
    assert model_files.fault(adapter, "") is None


def test_a_damaged_chat_template_is_one_line(copy):
    (copy / "chat_template.jinja").write_text("{% for %}")
    row = chat_row([Image.new("RGB", (224, 112))], None, prompts.load("closed"))
    with pytest.raises(
        BuildError, match=r"chat template can't format a page .*chat_template\.jinja"
    ):
        candidates(load_processor(str(copy)), row, prompts.load("closed").answers)


def test_no_weight_is_replaced_by_random_numbers(copy):
    without_first(copy / WEIGHTS)
    assert "1 of its weights, such as " in refusal(copy)


def test_weights_of_other_shapes_are_refused(copy):
    weights = load_file(copy / WEIGHTS)
    name = next(name for name in sorted(weights) if name.endswith("down_proj.weight"))
    save_file(weights | {name: weights[name][1:].contiguous()}, copy / WEIGHTS, {"format": "pt"})
    assert "its weights have other shapes than its configuration says" in refusal(copy)


def test_no_weight_of_an_adapter_is_replaced_by_random_numbers(adapted):
    without_first(adapted / ADAPTED)
    assert "weights of its adapter are missing" in refusal(adapted)


def test_an_adapter_without_its_weights_is_refused_without_a_look_at_the_hub(adapted):
    (adapted / ADAPTED).unlink()
    assert refusal(adapted).startswith(f"{adapted} has no weights")


def test_an_adapter_whose_base_is_gone_says_so(adapted):
    config = json.loads((adapted / "adapter_config.json").read_text())
    gone = str(adapted / "gone")
    for base, said in (
        (gone, "is an adapter, whose base model is missing: "),
        (None, "names no base"),
    ):
        config["base_model_name_or_path"] = base
        (adapted / "adapter_config.json").write_text(json.dumps(config))
        assert said in refusal(adapted)


def test_an_unfinished_training_and_its_checkpoints_are_no_models(whole, tmp_path):
    training = shutil.copytree(whole, tmp_path / "run")
    checkpoint = shutil.copytree(whole, training / "checkpoint-5")
    assert identity.identify(str(checkpoint)).folder is None  # of any other trainer
    (training / "asked.json").write_text("{}")
    for folder, said in (
        (training, "holds a training that is not finished"),
        (checkpoint, "is a checkpoint, without the psgimg.json of a model; use "),
    ):
        for read in (identity.identify, load_for_inference):
            with pytest.raises(BuildError, match=said):
                read(str(folder))


def test_predictions_written_into_the_folder_of_a_model_leave_it_the_same_model(copy):
    before = identity.identify(str(copy)).weights
    for name in ("p.parquet.json", "p.csv.json", "p.jsonl.json"):
        (copy / name).write_text("{}")
    assert identity.identify(str(copy)).weights == before
    (copy / "generation_config.json").write_text("{}")
    assert identity.identify(str(copy)).weights != before
