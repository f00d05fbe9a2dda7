"""Levers: they change the speed of a model, not what it answers or learns."""

import functools
import json
import pickle
import sys

import numpy as np
import pytest
from PIL import Image
from psgimg.builder.dataset import prompts
from psgimg.builder.stages import STAGE_NAMES

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
from on_gpu import models  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from psgimg.finetune.data.chat import chat_row  # noqa: E402
from psgimg.finetune.data.context import Context  # noqa: E402
from psgimg.finetune.inference import encoding  # noqa: E402
from psgimg.finetune.models import (  # noqa: E402
    compatibility,
    compiled,
    families,
    frozen,
    fused,
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
        rows.append(chat_row(pages, stage, PROMPT, len(pages) - 1, Context(len(pages) - 1)))
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
    assert calls  # for pages of two sizes; windows may be of one
    model.save_pretrained(tmp_path / "saved")
    saved = (tmp_path / "saved" / "config.json").read_text()
    assert vision_attention.NAME not in saved
    assert json.loads(saved)["model_type"] == model.config.model_type


def test_pages_of_one_size_attend_as_rows_of_a_batch(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 4 * 6, 8, generator=generator)  # heads, 4 pages of 6 patches
    bounds = torch.arange(0, 25, 6)
    monkeypatch.setattr(vision_attention, "varlen_attn", None)  # not needed
    monkeypatch.setattr(vision_attention, "_page_by_page", None)
    found, _ = vision_attention._attend(
        None, q, k, v, cu_seq_lens_q=bounds, max_length_q=6, max_length_k=6
    )
    flat = (x[0].transpose(0, 1) for x in (q, k, v))
    expected = reference_varlen(*flat, bounds, bounds, 6, 6)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-4)


@pytest.fixture
def on_a_card(monkeypatch):
    """Let a model pass for one on a card; modules of transformers are as before afterwards."""

    def pretend(model):
        for part, name in (
            (families.vision_tower(model), fused.ROTARY),
            (families.language_model(model), fused.ROTARY_OF_TEXT),
        ):
            module = sys.modules[type(part).__module__]
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(module, name))
        monkeypatch.setattr(fused, "_is_on_card", lambda model: True)

    return pretend


def rotary_of_text(model):
    module = sys.modules[type(families.language_model(model)).__module__]
    return getattr(module, fused.ROTARY_OF_TEXT)


@pytest.mark.parametrize("opened", FAMILIES, indirect=True)
def test_fewer_passes_leave_the_answers_as_they_are(opened, on_a_card):
    model, batch = opened
    before = logits(model, batch)
    assert fused.patches(model) == fused.elementwise(model) == 0  # only on a card
    on_a_card(model)
    if families.packs_pages(model):
        assert fused.patches(model) == 1
    n_layers = model.config.get_text_config().num_hidden_layers
    plain = model.config.model_type != "qwen3_5"  # its norms add 1 to their weights
    assert fused.elementwise(model) >= 2 * n_layers * plain
    torch.testing.assert_close(logits(model, batch), before, atol=1e-5, rtol=1e-4)
    module = sys.modules[type(families.vision_tower(model)).__module__]
    if families.packs_pages(model):
        assert isinstance(getattr(module, fused.ROTARY), functools.partial)
    assert isinstance(rotary_of_text(model), functools.partial)


@pytest.mark.parametrize("name", ["qwen3-vl-2b", "smolvlm2-2b", "llava-next-7b"])
def test_fewer_passes_round_no_more_than_half_precision_does(name, on_a_card):
    texts = [PROMPT.question, PROMPT.system, *PROMPT.answers.values()]
    torch.manual_seed(0)
    model, processor = models.make(name, texts, "cpu", torch.float32, tiny=True)
    page = Image.fromarray(np.random.default_rng(0).integers(0, 255, (112, 224, 3), np.uint8))
    batch = encoding.encode(model.eval(), processor, [chat_row([page], "W", PROMPT)])
    exact = logits(model, batch)
    model.bfloat16()
    batch["pixel_values"] = batch["pixel_values"].bfloat16()
    plain = (logits(model, batch) - exact).abs()
    on_a_card(model)
    fused.patches(model)
    assert fused.elementwise(model) >= 2 * 2 + 1
    own = (logits(model, batch) - exact).abs()
    assert own.mean() < 1.1 * plain.mean()
    assert own.max() < 1.5 * plain.max()
    taken = [m for m in families.vision_tower(model).modules() if is_fused(m)]
    assert len(taken) == (0 if name == "llava-next-7b" else 2)  # CLIP has another activation


def is_fused(module):
    forward = vars(module).get("forward")
    return isinstance(forward, functools.partial) and forward.func is fused._perceive


@pytest.mark.parametrize("opened", ["llava", "qwen3_vl"], indirect=True)
def test_a_model_learns_after_another_one_of_its_family_has_answered(opened, on_a_card):
    model, batch = opened
    loss, before = gradients(model, batch)
    on_a_card(model)
    norms = [m for m in model.modules() if fused._is_plain_norm(m)]
    fused.elementwise(model)
    for norm in norms:
        del (
            norm.forward
        )  # this one has not answered, but the function that turns positions is shared
    assert isinstance(rotary_of_text(model), functools.partial)
    again, after = gradients(model, batch)
    assert torch.equal(loss, again)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("opened", ["qwen3_vl"], indirect=True)
def test_a_product_without_the_activation_leaves_the_layers_as_they_are(
    opened, on_a_card, monkeypatch
):
    model, batch = opened
    model.bfloat16()
    batch["pixel_values"] = batch["pixel_values"].bfloat16()
    before = logits(model, batch)
    on_a_card(model)
    norms = [m for m in model.modules() if fused._is_plain_norm(m)]
    monkeypatch.delattr(torch, "_addmm_activation")
    fused.elementwise(model)
    assert not any(map(is_fused, model.modules()))
    for norm in norms:
        del norm.forward
    torch.testing.assert_close(logits(model, batch), before, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("opened", ["qwen3_vl"], indirect=True)
def test_a_norm_of_another_formula_stays_as_it_is(opened, monkeypatch):
    model, _ = opened
    norm = next(m for m in model.modules() if fused._is_plain_norm(m))
    monkeypatch.setattr(type(norm), "forward", lambda self, x: x * (1 + self.weight))
    assert not fused._is_plain_norm(norm)


def test_a_convolution_that_does_not_cover_its_input_stays_one():
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(2, 3, (1, 2, 2), stride=(1, 2, 2))
    x = torch.randn(5, 2, 1, 4, 4)
    assert torch.equal(fused._embed(layer, x), layer(x))
    torch.testing.assert_close(fused._embed(layer, x[..., :2, :2]), layer(x[..., :2, :2]))


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
