"""The tiny model: made without a download, loaded and trained as any other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from psgimg.builder.errors import BuildError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from psgimg.finetune.models import tiny  # noqa: E402

QUESTION = "Which sleep stage does this page show? Answer W, N1, N2, N3 or REM."
PAGE_PX = (224, 112)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny.build(folder, PAGE_PX, [QUESTION], seed=3)
    return folder


def page(size: tuple[int, int] = PAGE_PX) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0]), np.uint8)).convert("RGB")


def asked(processor, images):
    content = [*({"type": "image"} for _ in images), {"type": "text", "text": QUESTION}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    return processor(text=[text], images=[images], return_tensors="pt")


def test_it_loads_and_answers_as_a_model_of_the_hub_does(folder):
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    for images in ([page()], [page(), page((300, 90))]):
        inputs = asked(processor, images)
        out = model.generate(**inputs, max_new_tokens=3, do_sample=False)
        assert out.shape[1] > inputs["input_ids"].shape[1]
    assert 0.5e6 < sum(p.numel() for p in model.parameters()) < 3e6


def test_every_patch_of_a_page_has_one_token_and_one_more_stands_for_the_class(folder):
    processor = transformers.AutoProcessor.from_pretrained(folder)
    inputs = asked(processor, [page()])
    n = int((inputs["input_ids"] == processor.image_token_id).sum())
    assert n == tiny.PATCHES_DOWN * tiny.PATCHES_ACROSS + 1


def test_its_weights_are_as_open_as_their_folder(folder):
    mode = (folder / "model.safetensors").stat().st_mode & 0o777
    assert mode == folder.stat().st_mode & 0o666


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(folder, tmp_path):
    tiny.build(tmp_path / "same", PAGE_PX, [QUESTION], seed=3)
    tiny.build(tmp_path / "other", PAGE_PX, [QUESTION], seed=4)
    assert digests(tmp_path / "same") == digests(folder)
    changed = {
        name
        for name, digest in digests(tmp_path / "other").items()
        if digest != digests(folder)[name]
    }
    assert changed == {"model.safetensors"}


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_chance_elsewhere_is_left_alone(tmp_path):
    before = torch.random.get_rng_state()
    tiny.build(tmp_path / "model", PAGE_PX, [QUESTION])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_any_text_survives_the_tokenizer(folder):
    tokenizer = transformers.AutoProcessor.from_pretrained(folder).tokenizer
    for text in ("W", "N1", "N2", "N3", "REM", QUESTION, "Schlaf, 睡眠\n"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_answer_and_the_end_of_its_turn_are_what_the_assistant_says(folder):
    processor = transformers.AutoProcessor.from_pretrained(folder)
    messages = [
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": [{"type": "text", "text": "N2"}]},
    ]
    out = processor.tokenizer.apply_chat_template(
        messages, return_dict=True, return_assistant_tokens_mask=True
    )
    said = [i for i, mask in zip(out["input_ids"], out["assistant_masks"], strict=True) if mask]
    assert processor.tokenizer.decode(said) == "N2" + tiny.END


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BuildError, match="exists already; choose another folder"):
        tiny.build(tmp_path, PAGE_PX, [QUESTION])
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_weights_and_tokenizer_that_do_not_fit_on_the_disk_are_refused_in_one_line(tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (100, 10_000):  # a limit that a file meets as it would the end of the disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(
                BuildError, match=r"can't write .*: File too large; free some space"
            ):
                tiny.build(tmp_path / "model", PAGE_PX, [QUESTION], seed=3)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert not list(tmp_path.iterdir())
