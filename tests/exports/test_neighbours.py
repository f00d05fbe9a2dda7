"""Neighbour tools take what psgimg writes: TRL's own script, PyTorch's loader, by the card's own lines."""

import re

import datasets
import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.exports import trl as export

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
tiny_models = pytest.importorskip("tiny_models")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Pages with missing values in all columns that may have them."""
    root = tmp_path_factory.mktemp("corpus")
    tiny.write_hmc(root, n_subjects=3, minutes=5)
    config = BuildConfig(
        ("hmc",), (str(root),), root / "out", style="paper", splits="1/1/1", trim_min=None
    )
    build(config, Remembered())
    return root / "out"


@pytest.fixture
def pages(built, tmp_path):
    return datasets.load_dataset(str(built), split="train", cache_dir=str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    tiny_models.build("idefics3", folder, texts=[prompts.load("closed").question])
    return folder


def code(built, word):
    """The block of the card that has a word."""
    blocks = re.findall(r"```py\n(.*?)```", (built / "README.md").read_text(), re.S)
    [found] = [block for block in blocks if word in block]
    return found


def test_the_loader_of_the_card_makes_batches_where_all_columns_would_not(built, pages):
    names = {"pages": pages}
    exec(code(built, "DataLoader"), names)
    batch = next(iter(names["batches"]))
    assert batch["label"].tolist() == pages["label"][: len(batch["label"])]
    assert batch["image"].shape[-2:] == (336, 336)
    with pytest.raises(TypeError):
        next(iter(torch.utils.data.DataLoader(pages.remove_columns("image"))))


def test_the_two_lines_of_the_card_make_what_trl_collates(built, pages, model):
    from transformers import AutoProcessor
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    names = {"pages": pages}
    exec(code(built, "chats"), names)
    chats = names["chats"]
    assert chats.column_names == ["image", "prompt", "completion"]
    collate = DataCollatorForVisionLanguageModeling(
        AutoProcessor.from_pretrained(model), completion_only_loss=True
    )
    batch = collate([chats[i] for i in range(2)])
    assert (batch["labels"] != -100).any()
    assert "pixel_values" in batch


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_script_of_trl_trains_on_the_export(built, model, tmp_path, monkeypatch):
    from trl.scripts import sft

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    export.write(built, tmp_path / "psg-trl")
    options = {
        "dataset_name": tmp_path / "psg-trl",
        "model_name_or_path": model,
        "output_dir": tmp_path / "out",
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "report_to": "none",
        "max_length": 4096,
        "save_strategy": "no",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    parser = sft.make_parser()
    parsed = parser.parse_args_and_config(args=[*words, "--use_cpu"])
    sft.main(*parsed)
    assert (tmp_path / "out" / "model.safetensors").is_file()
