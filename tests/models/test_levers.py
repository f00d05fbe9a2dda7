"""Levers: they change the speed of a model, not what it answers or learns."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image
from psgimg.builder.dataset import prompts
from psgimg.builder.stages import STAGE_NAMES

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from psgimg.finetune.data.chat import chat_row  # noqa: E402
from psgimg.finetune.models import (  # noqa: E402
    compatibility,
    compiled,
    families,
    frozen,
    vision_attention,
)
from psgimg.finetune.models.page_positions import PagePositions  # noqa: E402
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch hides it

PROMPT = prompts.load("closed")
PACKED = ("qwen2_5_vl", "qwen3_vl", "qwen3_5")
FAMILIES = ("llava", "idefics3", *PACKED)


@pytest.fixture
def opened(request, tmp_path):
    """A model with an adapter, and a batch of pages of two sizes, one row with two pages."""
    name = request.param
    tiny_models.build(name, tmp_path / "model")
    model, processor = tiny_models.open_(name, tmp_path / "model")
    rng = np.random.default_rng(0)
    rows = []
    for i, stage in enumerate(STAGE_NAMES[:4]):
        size = (112, 224, 3) if i % 2 else (112, 168, 3)
        pages = [Image.fromarray(rng.integers(0, 255, size, np.uint8)) for _ in range(1 + (i > 2))]
        rows.append(chat_row(pages, stage, PROMPT, len(pages) - 1, 0, len(pages) - 1, 0))
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    return model, dict(collate(rows))


def logits(model, batch):
    with torch.no_grad():
        return model(**{k: v for k, v in batch.items() if k != "labels"}).logits


def reference_varlen(q, k, v, bounds, bounds_k, longest, longest_k):
    """Attention of packed sequences, (tokens, heads, size), by the formula."""
    assert torch.equal(bounds, bounds_k)
    assert longest == longest_k == int(bounds.diff().max())
    own = torch.repeat_interleave(torch.arange(len(bounds) - 1), bounds.diff())
    scores = torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(own[:, None] != own[None], -torch.inf)
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), v)


@pytest.mark.parametrize("opened", PACKED, indirect=True)
def test_attention_in_one_call_leaves_the_answers_as_they_are(opened, monkeypatch, tmp_path):
    model, batch = opened
    before, calls = logits(model, batch), []
    monkeypatch.setattr(vision_attention, "_card_has_it", lambda device: True)
    monkeypatch.setattr(
        vision_attention,
        "varlen_attn",
        lambda *args: calls.append(1) or reference_varlen(*args),
    )
    assert vision_attention.in_one_call(model)
    torch.testing.assert_close(logits(model, batch), before, atol=1e-5, rtol=1e-4)
    assert not calls  # in full precision the card has no such attention
    monkeypatch.setattr(vision_attention, "HALF", (torch.float32,))
    torch.testing.assert_close(logits(model, batch), before, atol=1e-5, rtol=1e-4)
    assert len(calls) == len(families.vision_tower(model).blocks)
    model.save_pretrained(tmp_path / "saved")
    saved = (tmp_path / "saved" / "config.json").read_text()
    assert vision_attention.NAME not in saved
    assert json.loads(saved)["model_type"] == model.config.model_type


@pytest.mark.parametrize("opened", FAMILIES, indirect=True)
def test_without_a_card_the_attention_stays_as_it_is(opened):
    model, _ = opened
    assert not vision_attention.in_one_call(model)
    assert families.vision_tower(model).config._attn_implementation == "sdpa"


@pytest.mark.parametrize("opened", ["qwen3_vl"], indirect=True)
def test_an_attention_that_the_user_chose_stays(opened, monkeypatch):
    model, _ = opened
    monkeypatch.setattr(vision_attention, "_card_has_it", lambda device: True)
    model.set_attn_implementation("eager")
    assert not vision_attention.in_one_call(model)


@pytest.mark.parametrize("opened", PACKED, indirect=True)
def test_positions_of_the_loaders_are_those_of_the_model(opened, monkeypatch):
    model, batch = opened
    before = logits(model, batch)
    positions = pickle.loads(pickle.dumps(PagePositions.of(model)))
    found = dict(batch)
    assert torch.equal(positions.add(found), model.model.rope_deltas)
    monkeypatch.setattr(
        type(model.model), "get_rope_index", None
    )  # computed once, beside the model
    assert torch.equal(logits(model, found), before)
    for name in found.keys() - batch.keys():
        if "max" not in name:  # the longest page matters to attention in one call only
            other = found | {
                name: found[name].flip(0) if "cu_" not in name else found[name][[0, -1]]
            }
            assert not torch.equal(logits(model, other), before), name


@pytest.mark.parametrize("opened", ["qwen3_vl"], indirect=True)
def test_positions_are_those_of_a_model_behind_an_adapter(opened):
    model, batch = opened
    plain, behind = dict(batch), dict(batch)
    PagePositions.of(model).add(plain)
    with compatibility.without_deprecations():
        adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj"]))
    PagePositions.of(adapted).add(behind)
    assert torch.equal(plain["position_ids"], behind["position_ids"])


@pytest.mark.parametrize("opened", ["qwen3_vl"], indirect=True)
def test_an_older_transformers_computes_positions_by_itself(opened, monkeypatch):
    model, _ = opened
    monkeypatch.delattr("transformers.vision_utils.get_vision_interpolation_indices_and_weights")
    assert PagePositions.of(model) is None


@pytest.mark.parametrize("opened", ["llava", "idefics3"], indirect=True)
def test_families_without_grids_need_no_positions(opened):
    model, _ = opened
    assert PagePositions.of(model) is None


def gradients(model, batch):
    model.zero_grad()
    torch.manual_seed(0)
    model.train()
    loss = model(**batch, use_cache=False).loss
    loss.backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), found


@pytest.mark.parametrize("opened", FAMILIES[:3], indirect=True)
def test_a_frozen_tower_computes_no_gradients_and_all_others_stay_the_same(opened):
    model, batch = opened
    config = LoraConfig(target_modules=families.lora_targets(model, False))
    with compatibility.without_deprecations():
        adapted = get_peft_model(model, config)
        adapted.enable_input_require_grads()
    passed = []
    tower = families.vision_tower(adapted)
    tower.register_forward_hook(lambda _, __, out: passed.append(out[0].requires_grad))
    loss, before = gradients(adapted, batch)
    assert passed == [True]
    assert frozen.without_gradients(adapted)
    again, after = gradients(adapted, batch)
    assert passed == [True, False]
    assert torch.equal(loss, again)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("opened", ["idefics3"], indirect=True)
def test_a_tower_that_learns_keeps_its_gradients(opened):
    model, batch = opened
    assert not frozen.without_gradients(model)
    tower = {id(p) for p in families.vision_tower(model).parameters()}
    gradients(model, batch)
    assert any(id(p) in tower and p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("opened", [*FAMILIES[:2], *PACKED[:2]], indirect=True)
def test_compiled_layers_learn_what_they_would_as_they_are(opened):
    model, batch = opened
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    if positions := PagePositions.of(model):
        positions.add(batch)
    names = set(model.state_dict())
    loss, before = gradients(model, batch)
    counts = []

    def backend(graph, _):
        counts.append(graph)
        return graph.forward

    try:
        assert compiled.compile_layers(model, backend) == 2 * 2 + 2 * (
            model.config.model_type == "llava"
        )
        again, after = gradients(model, batch)
        assert counts
        assert set(model.state_dict()) == names
        torch.testing.assert_close(again, loss)
        torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)
        n = len(counts)
        with compiled.as_they_are():
            logits(
                model, {key: value[:1] for key, value in batch.items()} if not positions else batch
            )
        assert len(counts) == n
    finally:
        compiled.undo(model)
    gradients(model, batch)
    assert len(counts) == n


@pytest.mark.parametrize("opened", ["qwen3_vl"], indirect=True)
def test_layers_are_not_compiled_on_a_cpu_or_for_few_pages(opened, monkeypatch):
    model, _ = opened
    assert not compiled.pays(model, 10**6)
    monkeypatch.setattr(type(model), "device", torch.device("cuda"))
    assert compiled.pays(model, compiled.COMPILED_FROM)
    assert not compiled.pays(model, compiled.COMPILED_FROM - 1)
