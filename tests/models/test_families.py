"""Families: what learns and what the loss covers, in tiny models of several families."""

import re

import numpy as np
import pytest
from PIL import Image
from psgimg.builder.dataset import prompts
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from psgimg.finetune.data.chat import chat_row  # noqa: E402
from psgimg.finetune.data.collator import IGNORED, AnswerOnly, supervised  # noqa: E402
from psgimg.finetune.data.context import Context  # noqa: E402
from psgimg.finetune.models import families  # noqa: E402
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling  # noqa: E402

PROMPT = prompts.load("closed")
END = {
    "llava": "<|im_end|>",
    "idefics3": "<end_of_utterance>",
    "qwen2_5_vl": "<|im_end|>",
    "qwen3_vl": "<|im_end|>",
}


@pytest.fixture(scope="module", params=list(END))
def family(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "model"
    tiny_models.build(request.param, folder)
    return request.param, *tiny_models.open_(request.param, folder)


def rows(context=0):
    rng = np.random.default_rng(0)
    found = []
    for i, stage in enumerate(STAGE_NAMES):
        size = (224, 112) if i % 2 else (168, 112)  # rows of different length in one batch
        pages = [
            Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), np.uint8))
            for _ in range(1 + 2 * context)
        ]
        found.append(chat_row(pages, stage, PROMPT, context, Context(context)))
    return found


@pytest.mark.parametrize("context", [0, 1])
def test_the_loss_covers_the_answer_and_the_end_of_its_turn_only(family, context):
    name, _, processor = family
    collator = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    batch = AnswerOnly(collator, processor.tokenizer)(rows(context))
    for i, stage in enumerate(STAGE_NAMES):
        text = supervised(batch, processor.tokenizer, i)
        assert text.lstrip(" ") == stage + END[name]
        # what is learned from stands where the row has those very tokens
        learned = batch["labels"][i] != IGNORED
        assert torch.equal(batch["labels"][i][learned], batch["input_ids"][i][learned])


def test_image_tokens_are_counted(family):
    _, model, processor = family
    collator = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    one, three = (
        families.n_image_tokens(model, processor, collator(rows(context)[:1])["input_ids"])
        for context in (0, 1)
    )
    assert one > 0
    assert three == 3 * one


def adapted(model, vision):
    pattern = families.lora_targets(model, vision)
    return {
        name
        for name, module in model.named_modules()
        if re.fullmatch(pattern, name) and isinstance(module, torch.nn.Linear)
    }


def test_lora_takes_attention_and_mlp_of_the_language_model_and_no_more(family):
    _, model, _ = family
    tower = re.compile(families.vision_layers(model))
    found = adapted(model, vision=False)
    leaves = {name.rpartition(".")[2] for name in found}
    assert leaves == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert len(found) == 2 * 7
    assert not any(tower.fullmatch(name) for name in found)
    both = adapted(model, vision=True)
    assert found < both
    assert all(tower.fullmatch(name) for name in both - found)


def test_an_adapter_of_all_linear_layers_spares_the_vision_tower_where_told(family, tmp_path):
    name, _, _ = family
    tiny_models.build(name, tmp_path / "model")
    model, _ = tiny_models.open_(name, tmp_path / "model")
    config = LoraConfig(target_modules="all-linear", exclude_modules=families.vision_layers(model))
    tower = families.vision_layers(model)
    learned = [n for n, p in get_peft_model(model, config).named_parameters() if p.requires_grad]
    assert learned
    assert not [n for n in learned if re.fullmatch(tower, n.removeprefix("base_model.model."))]


def test_a_frozen_vision_tower_does_not_learn_and_the_rest_does(family):
    _, model, _ = family
    families.freeze_vision(model)
    tower = re.compile(families.vision_layers(model))
    try:
        for name, parameter in model.named_parameters():
            assert parameter.requires_grad != bool(tower.fullmatch(name))
    finally:
        model.requires_grad_(True)


def test_a_cap_on_pixels_holds_or_is_refused(family, tmp_path):
    name, model, processor = family
    if not name.startswith("qwen"):
        with pytest.raises(BuildError, match="has no limit on pixels; leave the option out"):
            families.cap_pixels(processor, 100_000)
        return
    collator = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    before = families.n_image_tokens(model, processor, collator(rows()[1:2])["input_ids"])
    size = dict(processor.image_processor.size)
    families.cap_pixels(processor, 224 * 112 // 4)
    after = families.n_image_tokens(model, processor, collator(rows()[1:2])["input_ids"])
    assert after * 4 <= before + 4
    processor.image_processor.save_pretrained(tmp_path)
    kept = type(processor.image_processor).from_pretrained(tmp_path)
    assert kept.size["longest_edge"] == 224 * 112 // 4
    with pytest.raises(BuildError, match=r"must be at least .* for this processor"):
        families.cap_pixels(processor, 1)
    processor.image_processor.size = size


PROJECTORS = {
    "llava": ["model.multi_modal_projector"],
    "idefics3": ["model.connector"],
    "qwen2_5_vl": ["model.visual.merger"],
    "qwen3_vl": ["model.visual.merger", "model.visual.deepstack_merger_list.0"],
}


def test_the_projector_is_what_connects_the_two_parts(family):
    name, model, _ = family
    assert families.projectors(model) == PROJECTORS[name]


def test_a_model_whose_parts_nobody_can_tell_is_refused():
    class Whole(torch.nn.Linear):
        base_model = None

        def get_decoder(self):
            return self

    with pytest.raises(BuildError, match="its language model can't be identified"):
        families.lora_targets(Whole(1, 1), vision=False)
