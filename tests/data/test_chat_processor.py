"""Chat rows meet a real processor and TRL's own collator: as many pictures as places for them."""

from __future__ import annotations

import numpy as np
import pytest
import tiny as corpora
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.finetune.data import page_set
from psgimg.finetune.data.context import Context

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
sft_trainer = pytest.importorskip("trl.trainer.sft_trainer")

from psgimg.finetune.models import tiny  # noqa: E402

AASM = prompts.load("aasm")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    place = tmp_path_factory.mktemp("chat")
    corpora.write_shhs(place / "shhs", n_subjects=3, visits=(1,))
    options = {"style": "paper", "splits": "1/0/0", "trim_min": None}
    build(BuildConfig(("shhs",), (str(place / "shhs"),), place / "out", **options), Remembered())
    return page_set.load(str(place / "out"), None, "train")


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny.build(folder, (336, 336), [AASM.system, AASM.question])
    return transformers.AutoProcessor.from_pretrained(folder)


def places(found):
    """First, inner and last page of a recording, the page before a hole, and the one behind it."""
    recording = found.index.recording
    holes = np.flatnonzero(~found.index.joined[1:] & (np.diff(recording) == 0)) + 1
    return [0, 5, int(np.flatnonzero(recording == 0)[-1]), int(holes[0]) - 1, int(holes[0])]


@pytest.mark.parametrize("context", [0, 1, 2])
def test_there_is_a_place_for_every_picture_and_only_the_answer_is_learned(
    train, processor, context
):
    collator = sft_trainer.DataCollatorForVisionLanguageModeling(
        processor, max_length=None, completion_only_loss=True
    )
    rows = places(train)
    chat = train.chat(rows, AASM, Context(context))
    n_pictures = [len(row["images"]) for row in chat]
    assert n_pictures == [
        1 + sum(r is not None for side in train.neighbours(row, context) for r in side)
        for row in rows
    ]
    batch = collator(chat.__getitems__(list(range(len(rows)))))
    per_picture = tiny.PATCHES_DOWN * tiny.PATCHES_ACROSS + 1
    found = (batch["input_ids"] == processor.image_token_id).sum(dim=1).tolist()
    assert found == [n * per_picture for n in n_pictures]
    assert len(batch["pixel_values"]) == sum(n_pictures)
    for row, ids, labels in zip(chat, batch["input_ids"], batch["labels"], strict=True):
        learned = processor.tokenizer.decode(labels[labels != -100])
        assert learned.strip() == row["completion"][0]["content"] + tiny.END
        text = processor.tokenizer.decode(ids)
        assert AASM.system in text
        assert row["prompt"][-1]["content"] in text


def test_a_trainer_that_drops_unused_columns_drops_none_of_these(train):
    chat = train.chat([0, 1], AASM, Context(1))
    kept = {"messages", "prompt", "completion", "image", "images"}
    assert set(chat.column_names) <= kept
    assert set(chat.remove_columns([])[0]) == {"images", "prompt", "completion"}
