"""Speed: a step is divided as memory allows, and learns what it would learn undivided."""

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from psgimg.builder.dataset import prompts
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data import collator
from psgimg.finetune.data.chat import chat_row
from psgimg.finetune.data.context import Context

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
from accelerate import DistributedType  # noqa: E402
from datasets import Dataset  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from psgimg.finetune.models import (  # noqa: E402
    compatibility,
    compiled,
    families,
    vision_attention,
)
from psgimg.finetune.models.page_positions import PagePositions  # noqa: E402
from psgimg.finetune.training import devices, micro_batch, speed  # noqa: E402
from psgimg.finetune.training.micro_batch import MicroBatch  # noqa: E402
from psgimg.finetune.training.speed import Levers, Prepared  # noqa: E402
from psgimg.finetune.training.trainer import StagingTrainer  # noqa: E402
from trl import SFTConfig  # noqa: E402

PROMPT = prompts.load("closed")
GB = 1e9

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning"),  # torch hides it
]


def chat_rows(n=8):
    rng = np.random.default_rng(0)
    found = []
    for i in range(n):
        size = (112, 224, 3) if i % 2 else (112, 168, 3)
        pages = [Image.fromarray(rng.integers(0, 255, size, np.uint8)) for _ in range(1 + (i == 5))]
        shown = len(pages) - 1
        found.append(chat_row(pages, STAGE_NAMES[i % 5], PROMPT, shown, Context(shown)))
    return found


def trainer_of(family, place, monkeypatch, n=8, adapter=False, **options):
    monkeypatch.setenv("CI", "1")
    tiny_models.build(family, place / "model")
    model, processor = tiny_models.open_(family, place / "model")
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    rows = chat_rows(n)
    values = {
        "output_dir": str(place / "out"),
        "per_device_train_batch_size": 8,
        "max_steps": 2,
        "max_length": None,
        "learning_rate": 0.01,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "remove_unused_columns": False,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }
    numbers = Dataset.from_dict({"images": range(n)}).with_transform(
        lambda batch: {
            key: [rows[i][key] for i in batch["images"]]
            for key in ("images", "prompt", "completion")
        }
    )
    lora = LoraConfig(target_modules=families.lora_targets(model, vision=False))
    return StagingTrainer(
        model=model,
        peft_config=lora if adapter else None,
        args=SFTConfig(
            **compatibility.training_options(values | options, SFTConfig.__dataclass_fields__)
        ),
        train_dataset=numbers,
        processing_class=processor,
        answers=PROMPT.answers,
    )


def reference_varlen(q, k, v, bounds, bounds_k, longest, longest_k):
    """Attention of packed sequences, (tokens, heads, size), by the formula."""
    own = torch.bucketize(torch.arange(len(q)), bounds[1:], right=True)
    scores = torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(own[:, None] != own[None], -torch.inf)
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), v)


def weights(trainer):
    return {name: value.detach().clone() for name, value in trainer.model.state_dict().items()}


def limit(monkeypatch, trainer, most):
    """Let the card run out of memory in the backward pass of more pages at once than ``most``."""
    sizes, backward = [], trainer.accelerator.backward
    forward = trainer.model.forward

    def counted(*args, **kwargs):
        sizes.append(len(kwargs["input_ids"]))
        return forward(*args, **kwargs)

    def limited(loss, **kwargs):
        backward(loss, **kwargs)  # gradients of the failed pass are there
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer.model, "forward", counted)
    monkeypatch.setattr(trainer.accelerator, "backward", limited)
    return sizes


@pytest.mark.parametrize("family", ["llava", "idefics3", "qwen3_vl"])
def test_a_step_that_runs_out_of_memory_goes_on_in_parts_and_learns_the_same(
    family, tmp_path, monkeypatch, capsys
):
    whole = trainer_of(family, tmp_path / "whole", monkeypatch)
    whole.train()
    parted = trainer_of(family, tmp_path / "parted", monkeypatch)
    sizes = limit(monkeypatch, parted, 2)
    parted.train()
    assert sizes == [8, 4, *[2] * 8]
    said = capsys.readouterr().out
    assert "out of memory with 8 pages at once; going on with 4, as many a step as before" in said
    assert "out of memory with 4 pages at once; going on with 2" in said
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(parted)[name], value, atol=2e-4, rtol=1e-3, msg=name)


def test_a_step_of_several_batches_is_done_again_from_its_first(tmp_path, monkeypatch):
    """Gradients of the failed batch can't be told from those of the batches before it."""
    options = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    whole = trainer_of("llava", tmp_path / "whole", monkeypatch, **options)
    whole.train()
    parted = trainer_of("llava", tmp_path / "parted", monkeypatch, **options)
    backward, calls = parted.accelerator.backward, []

    def once(loss, **kwargs):
        backward(loss, **kwargs)
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError

    monkeypatch.setattr(parted.accelerator, "backward", once)
    parted.train()
    assert len(calls) == 2 + 4 + 4
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(parted)[name], value, atol=2e-4, rtol=1e-3, msg=name)


def test_memory_for_less_than_a_page_ends_the_training(tmp_path, monkeypatch):
    trainer = trainer_of("llava", tmp_path, monkeypatch)
    sizes = limit(monkeypatch, trainer, 0)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.train()
    assert sizes == [8, 4, 2, 1]


def test_where_other_processes_wait_for_its_gradients_a_step_is_not_done_again(
    tmp_path, monkeypatch
):
    trainer = trainer_of("llava", tmp_path, monkeypatch)
    monkeypatch.setattr(type(trainer.accelerator), "num_processes", 2)
    assert trainer._remedy(torch.OutOfMemoryError(), 8) is None


@pytest.mark.parametrize("family", ["llava", "idefics3", "qwen2_5_vl", "qwen3_vl"])
def test_parts_of_a_batch_have_the_pages_of_their_rows(family, tmp_path, monkeypatch):
    trainer = trainer_of(family, tmp_path, monkeypatch)
    batch = dict(trainer.data_collator(chat_rows()))
    assert batch[collator.PAGES].tolist() == [1, 1, 1, 1, 1, 2, 1, 1]
    if positions := PagePositions.of(trainer.model):
        positions.add(batch)
        batch = PagePositions.without(batch)

    def logits(values):
        given = {k: v for k, v in values.items() if k not in (collator.PAGES, "labels")}
        with torch.no_grad():
            return trainer.model.eval()(**given).logits

    whole = logits(batch)
    parts = list(collator.parts(batch, 3))
    assert [len(part["input_ids"]) for part in parts] == [3, 3, 2]
    found = torch.cat([logits(part) for part in parts])
    seen = batch["attention_mask"].bool()
    torch.testing.assert_close(found[seen], whole[seen], atol=1e-4, rtol=1e-3)


def test_a_batch_of_unknown_form_is_not_divided():
    batch = {collator.PAGES: torch.ones(4, dtype=torch.long), "strange": torch.zeros(7, 2)}
    with pytest.raises(ValueError, match="strange of 7 entries"):
        list(collator.parts(batch, 2))


def test_padding_to_one_length_changes_no_answer(tmp_path, monkeypatch):
    trainer = trainer_of("qwen3_vl", tmp_path, monkeypatch)
    plain = trainer.data_collator(chat_rows())
    longer = Prepared(trainer.data_collator, PagePositions.of(trainer.model), 64)(chat_rows())
    n = plain["input_ids"].shape[1]
    assert longer["input_ids"].shape[1] % 64 == 0 != n % 64
    assert longer["labels"].shape == longer["input_ids"].shape
    model = trainer.model.eval()
    with torch.no_grad():
        losses = [float(trainer.compute_loss(model, dict(batch))) for batch in (plain, longer)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_layers_that_can_not_be_compiled_run_as_they_are(tmp_path, monkeypatch, capsys):
    trainer = trainer_of("llava", tmp_path, monkeypatch)

    def backend(graph, _):
        raise RuntimeError("no C compiler\nand so on")

    compiled.compile_layers(trainer.model, backend)
    trainer.compiled = True
    trainer.train()
    assert trainer.state.global_step == 2
    said = capsys.readouterr().out
    assert said.count("layers can't be compiled here (") == 1
    assert "no C compiler" in said


def linear(fixed_gb, page_gb, page_checkpointed_gb):
    return lambda n, checkpointing: (
        (fixed_gb + n * (page_checkpointed_gb if checkpointing else page_gb)) * GB
    )


@pytest.mark.parametrize(
    ("room_gb", "checkpointing", "found"),
    [
        (80, None, MicroBatch(32, checkpointing=False)),  # peaks of an H100 in docs/gpu.json
        (40, None, MicroBatch(16, checkpointing=False)),
        (24, None, MicroBatch(8, checkpointing=False)),
        (16, None, MicroBatch(32, checkpointing=True)),
        (8, None, MicroBatch(16, checkpointing=True)),
        (8, False, MicroBatch(1, checkpointing=False)),
        (80, True, MicroBatch(32, checkpointing=True)),
    ],
)
def test_a_card_holds_as_many_pages_as_fit_and_keeps_activations_where_it_can(
    room_gb, checkpointing, found
):
    assert micro_batch.fitted(linear(4.6, 1.92, 0.19), room_gb * GB, 32, checkpointing) == found


def test_pages_at_once_divide_the_step_and_are_found_where_few_do_not_fit():
    def peak(n, checkpointing):
        return n * GB if n < 3 else math.inf

    assert micro_batch.fitted(peak, 2.5 * GB, 12, False) == MicroBatch(2, checkpointing=False)
    assert micro_batch.fitted(linear(1, 1, 1), 6.5 * GB, 12, False).n_pages == 4
    with pytest.raises(BuildError, match="not even one page fits"):
        micro_batch.fitted(linear(4, 1, 1), 4.5 * GB, 8, None)


def test_the_memory_of_a_card_decides_and_the_pages_of_a_step_stay(tmp_path, monkeypatch):
    trainer = trainer_of("qwen3_vl", tmp_path, monkeypatch)
    monkeypatch.setattr(speed, "_room", lambda device: 10 * GB)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda *_: "A card")
    measured = []
    monkeypatch.setattr(
        trainer, "peak_bytes", lambda *args: measured.append(args) or linear(1, 2, 0.5)(*args)
    )
    speed._fit(trainer, None)
    args = trainer.args
    assert (args.per_device_train_batch_size, args.gradient_accumulation_steps) == (8, 1)
    assert compatibility.is_checkpointed(args)
    assert {n for n, _ in measured} == {1, 4}
    monkeypatch.setattr(trainer, "peak_bytes", linear(1, 2, 2))
    speed._fit(trainer, False)
    assert (args.per_device_train_batch_size, args.gradient_accumulation_steps) == (4, 2)
    assert trainer._train_batch_size == 4
    assert speed.lines(trainer, ["x"])[0].endswith(
        "A card: 8 pages a step, 4 at once, without activation checkpointing"
    )
    trainer.train()
    assert trainer.state.global_step == 2
    args.gradient_accumulation_steps, args.per_device_train_batch_size = 1, 8
    monkeypatch.setattr(trainer, "peak_bytes", linear(100, 1, 1))
    with pytest.raises(
        BuildError, match=r"A card is too small .*; train an adapter with --use-peft"
    ):
        speed._fit(trainer, None)


def test_the_memory_of_an_adapter_is_measured_either_way(tmp_path, monkeypatch):
    for name, value in (("reset_peak_memory_stats", None), ("max_memory_allocated", 5 * GB)):
        monkeypatch.setattr(f"torch.cuda.{name}", lambda *_, value=value: value)
    trainer = trainer_of("llava", tmp_path, monkeypatch, adapter=True)
    layers = compiled._layers(trainer.model)
    before = weights(trainer)
    for checkpointing in (True, False):
        seen = []
        handle = layers[-1].register_forward_pre_hook(
            lambda layer, _, seen=seen: seen.append(layer.gradient_checkpointing)
        )
        assert trainer.peak_bytes(2, checkpointing) == 5 * GB
        handle.remove()
        assert set(seen) == {checkpointing}
    assert all(torch.equal(value, before[name]) for name, value in weights(trainer).items())


def test_a_batch_that_is_measured_teaches_nothing(tmp_path, monkeypatch):
    trainer = trainer_of("idefics3", tmp_path, monkeypatch)
    for name, value in (("reset_peak_memory_stats", None), ("max_memory_allocated", 5 * GB)):
        monkeypatch.setattr(f"torch.cuda.{name}", lambda *_, value=value: value)
    before, random = weights(trainer), torch.get_rng_state()
    assert trainer.peak_bytes(2, True) == 5 * GB
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in weights(trainer).items())
    assert all(p.grad is None for p in trainer.model.parameters())
    limit(monkeypatch, trainer, 1)
    assert trainer.peak_bytes(2, False) == math.inf


def test_a_projector_that_learns_whole_does_so_in_full_precision(tmp_path, monkeypatch):
    tiny_models.build("llava", tmp_path / "model")
    model, _ = tiny_models.open_("llava", tmp_path / "model")
    names = families.projectors(model)
    lora = LoraConfig(
        target_modules=families.lora_targets(model, vision=False), modules_to_save=names
    )
    with compatibility.without_deprecations():
        adapted = get_peft_model(model.to(torch.bfloat16), lora)
    speed.widen(adapted)
    learns = {p.dtype for p in adapted.parameters() if p.requires_grad}
    assert learns == {torch.float32}
    assert {p.dtype for p in adapted.parameters() if not p.requires_grad} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("family", "checkpointing", "told"),
    [
        ("llava", False, "4 at once, without activation checkpointing"),
        ("qwen3_vl", None, "8 at once, with activation checkpointing"),
    ],
)
def test_all_levers_together_learn_what_is_learned_without(
    family, checkpointing, told, tmp_path, monkeypatch
):
    """As on a card, whose attention and compiler are replaced by what a CPU has."""
    plain = trainer_of(family, tmp_path / "plain", monkeypatch)
    plain.train()
    levered = trainer_of(family, tmp_path / "levered", monkeypatch)
    compiled_graphs, calls = [], []
    monkeypatch.setattr(speed, "_on_card", lambda trainer: True)
    monkeypatch.setattr(speed, "_room", lambda device: 20 * GB)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda *_: "A card")
    monkeypatch.setattr(levered, "peak_bytes", linear(1, 4, 1))
    monkeypatch.setattr(vision_attention, "_card_has_it", lambda device: True)
    monkeypatch.setattr(vision_attention, "HALF", (torch.float32,))
    monkeypatch.setattr(
        vision_attention, "varlen_attn", lambda *args: calls.append(1) or reference_varlen(*args)
    )
    monkeypatch.setattr(
        torch.nn.Module,
        "compile",
        lambda module, backend: setattr(
            module,
            "_compiled_call_impl",
            torch.compile(
                module._call_impl, backend=lambda g, _: compiled_graphs.append(g) or g.forward
            ),
        ),
    )
    said = speed.prepare(levered, Levers(compiled=True, checkpointing=checkpointing))
    levered.train()
    compiled.undo(levered.model)
    assert said[0].endswith(f"8 pages a step, {told}")
    assert "compiled layers" in said[1]
    assert compiled_graphs
    assert bool(calls) == (family == "qwen3_vl") == ("in one call" in said[1])
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(levered)[name], value, atol=2e-4, rtol=1e-3, msg=name)


def test_levers_are_for_processes_that_have_the_whole_model_on_a_card():
    def trainer(device, distributed_type):
        accelerator = SimpleNamespace(distributed_type=distributed_type)
        return SimpleNamespace(
            accelerator=accelerator, args=SimpleNamespace(device=torch.device(device))
        )

    assert speed._on_card(trainer("cuda", DistributedType.NO))
    assert speed._on_card(trainer("cuda", DistributedType.MULTI_GPU))
    for kind in (DistributedType.DEEPSPEED, DistributedType.FSDP):
        assert not speed._on_card(trainer("cuda", kind))
    assert not speed._on_card(trainer("cpu", DistributedType.NO))


def test_on_a_cpu_nothing_changes(tmp_path, monkeypatch):
    trainer = trainer_of("qwen3_vl", tmp_path, monkeypatch)
    own = trainer.data_collator
    assert speed.prepare(trainer, Levers()) == []
    assert trainer.data_collator is own
    assert families.vision_tower(trainer.model).config._attn_implementation == "sdpa"
    assert not trainer.compiled


def cards(monkeypatch, *capabilities, names=None):
    monkeypatch.setattr("torch.cuda.is_available", lambda: bool(capabilities))
    monkeypatch.setattr("torch.accelerator.is_available", lambda: bool(capabilities))
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(capabilities))
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda i: capabilities[i])
    names = names or ["V100"] * len(capabilities)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda i: names[i])


@pytest.mark.parametrize(
    ("found", "environment", "bf16", "said"),
    [
        ((), {"CUDA_VISIBLE_DEVICES": "0"}, None, "CUDA_VISIBLE_DEVICES=0: torch .*--use-cpu true"),
        ((), {}, True, "--bf16 true: there is no card; leave it out, or add --use-cpu true"),
        (
            ((8, 0), (7, 0)),
            {},
            True,
            "--bf16 true: V100 can't compute in bfloat16; use --fp16 true",
        ),
        (
            ((9, 0),),
            {"LOCAL_WORLD_SIZE": "4"},
            None,
            "4 processes for 1 cards; start torchrun with",
        ),
    ],
)
def test_cards_that_are_missing_too_few_or_too_old_are_refused_in_one_line(
    monkeypatch, found, environment, bf16, said
):
    cards(monkeypatch, *found)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BuildError, match=said) as caught:
        devices.check(use_cpu=False, bf16=bf16)
    assert "\n" not in str(caught.value)
    devices.check(use_cpu=True, bf16=bf16)


def test_a_model_that_is_divided_over_cards_is_whole_on_none(monkeypatch):
    def asked(**options):
        return SimpleNamespace(**{"deepspeed": None, "fsdp": None, "use_cpu": False} | options)

    cards(monkeypatch, (9, 0))
    assert devices.has_card(asked())
    for options in ({"deepspeed": "zero3.json"}, {"fsdp": "full_shard"}, {"use_cpu": True}):
        assert not devices.has_card(asked(**options))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert not devices.has_card(asked())


def test_a_user_who_hides_the_cards_trains_on_the_cpu(monkeypatch):
    cards(monkeypatch)
    for value in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        devices.check(use_cpu=False, bf16=None)


def test_cards_of_different_kinds_are_named(monkeypatch):
    cards(monkeypatch, (9, 0), (8, 0), names=["H100", "A100"])
    assert devices.mixed() is None  # one process uses one card
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert "A100, H100" in devices.mixed()


def test_one_process_uses_one_card(tmp_path):
    training = SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False)
    assert devices.use_one_card(training) is None
    training._n_gpu = 3
    assert "one of 3 cards is used" in devices.use_one_card(training)
    assert training.train_batch_size == training.per_device_train_batch_size


def test_the_command_refuses_a_card_that_is_not_there_in_one_line(tmp_path):
    psgimg = [sys.executable, "-P", "-m", "psgimg.builder.cli"]
    words = [
        "sft",
        "--dataset",
        str(tmp_path),
        "--model",
        "tiny",
        "--output-dir",
        str(tmp_path / "o"),
    ]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "0"}
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    done = subprocess.run(
        [*psgimg, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "CUDA_VISIBLE_DEVICES=0: torch" in done.stderr
