"""Soft labels: the loss is the cross-entropy against all scorers of a page, in every family."""

import json
import shutil

import numpy as np
import pytest
import tiny as tiny_corpus
from builds import run
from PIL import Image
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

import tiny_models  # noqa: E402
from psgimg.finetune import sft  # noqa: E402
from psgimg.finetune.data import page_set  # noqa: E402
from psgimg.finetune.data.chat import chat_row  # noqa: E402
from psgimg.finetune.data.collator import IGNORED, PAGES, AnswerOnly, parts  # noqa: E402
from psgimg.finetune.data.context import Context  # noqa: E402
from psgimg.finetune.data.page_index import Index, RecordingKey  # noqa: E402
from psgimg.finetune.data.soft_labels import SHARES, Draws, SoftLabels  # noqa: E402
from psgimg.finetune.inference.forward import Forward  # noqa: E402
from psgimg.finetune.inference.likelihood import Scorer  # noqa: E402
from psgimg.finetune.models.manifest import ModelFolder  # noqa: E402
from psgimg.finetune.training import arguments, soft_loss  # noqa: E402
from psgimg.finetune.training.soft_loss import SoftTargets  # noqa: E402
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling  # noqa: E402

ANSWERS = {stage: stage for stage in STAGE_NAMES}
PROMPT = Prompt("", tiny_models.TEXTS[0], ANSWERS)
SHARES_OF = [[0.0, 0.4, 0.6, 0.0, 0.0], [0.2, 0.4, 0.0, 0.0, 0.4], [0.0, 0.0, 0.0, 1.0, 0.0]]

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")


def pages():
    """Three pages, the second with a neighbour: rows of different lengths."""
    rng = np.random.default_rng(0)
    width, height = tiny_models.PAGE_PX
    shot = [
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
        for _ in range(len(SHARES_OF) + 1)
    ]
    return [shot[:1], shot[1:3], shot[3:]]


def rows(stages):
    return [
        {**chat_row(images, stage, PROMPT, len(images) - 1, Context(1)), SHARES: shares}
        for images, stage, shares in zip(pages(), stages, SHARES_OF, strict=True)
    ]


@pytest.fixture(scope="module", params=sorted(tiny_models.FAMILIES))
def family(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "model"
    tiny_models.build(request.param, folder, seed=1)
    return tiny_models.open_(request.param, folder)


def test_averaged_over_the_draws_it_is_the_cross_entropy_of_the_whole_answers(family):
    model, processor = family
    own = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    collate = SoftTargets(AnswerOnly(own, processor.tokenizer), processor, ANSWERS)
    forward = Forward(model)
    odds = np.array(SHARES_OF)
    # Draws are independent, so that the expectation of the sum over rows is that of each row alone
    found = 0.0
    for row in range(len(SHARES_OF)):
        for stage, share in zip(STAGE_NAMES, odds[row], strict=True):
            if not share:
                continue
            batch = collate([rows([stage] * len(odds))[row]])
            inputs = {k: v for k, v in batch.items() if k != PAGES}
            with torch.no_grad():
                found += share * float(soft_loss.summed(model, forward, inputs))
    whole = Scorer(model, processor, ANSWERS).full(rows(["W"] * len(odds)))
    sums = whole.log_probs + whole.log_mass[:, None]
    assert found == pytest.approx(float(-(odds * sums).sum()), abs=2e-3)


def test_where_scorers_agree_it_is_the_loss_of_the_label_and_a_batch_may_be_mixed(family):
    model, processor = family
    own = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    answer_only = AnswerOnly(own, processor.tokenizer)
    chat = rows(["N2", "W", "N3"])
    for row, stage in zip(chat, (2, 0, 3), strict=True):
        row[SHARES] = [float(i == stage) for i in range(5)]
    batch = SoftTargets(answer_only, processor, ANSWERS)(chat)
    inputs = {k: v for k, v in batch.items() if k != PAGES}
    with torch.no_grad():
        found = soft_loss.summed(model, Forward(model), inputs)
        own = {k: v for k, v in inputs.items() if not k.startswith("soft_")}
        logits = model(**own).logits[:, :-1].float()
    labels = batch["labels"][:, 1:]
    told = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    assert float(found) == pytest.approx(float(told), abs=1e-3)


def test_out_of_memory_the_parts_of_a_batch_have_the_loss_of_the_whole(family):
    model, processor = family
    own = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    batch = SoftTargets(AnswerOnly(own, processor.tokenizer), processor, ANSWERS)(
        rows(["N2", "REM", "N3"])
    )
    with torch.no_grad():
        whole, *some = [
            float(
                soft_loss.summed(
                    model, Forward(model), {k: v for k, v in part.items() if k != PAGES}
                )
            )
            for part in (batch, *parts(batch, 2))
        ]
    assert len(some) == 2
    assert sum(some) == pytest.approx(whole, abs=1e-3)


def index(label, label_2):
    n = len(label)
    return Index(
        np.array(label, np.int8),
        np.array(label_2, np.int8),
        np.zeros(n, np.int32),
        np.arange(n, dtype=np.int32),
        30 * np.arange(n, dtype=np.float32),
        np.ones(n, np.bool_),
        (RecordingKey("dod-h", "s", "r"),),
        ((),),
        (),
    )


def test_votes_come_before_two_scorers_and_they_before_the_label():
    made = SoftLabels.of(
        index([2, 2, 2, 1], [-1, 1, 2, 4]),
        {("dod-h", "r", 3): "0 1 4 0 0", ("x", "r", 0): "5 0 0 0 0"},
    )
    np.testing.assert_allclose(
        made.shares,
        [[0, 0, 1, 0, 0], [0, 0.5, 0.5, 0, 0], [0, 0, 1, 0, 0], [0, 0.2, 0.8, 0, 0]],
        atol=1e-7,
    )
    assert made.several.tolist() == [False, True, True, True]
    assert made.counts(np.arange(4)) == {"several": 3, "disputed": 2}
    made.require(np.array([1]), "pages")
    with pytest.raises(BuildError, match="--soft-labels: no training page of pages has more than"):
        made.require(np.array([0]), "pages")


def test_an_answer_is_drawn_as_often_as_scorers_gave_it_and_again_alike():
    shares = np.tile(np.float32([0, 0.2, 0.8, 0, 0]), (2000, 1))
    drawn = Draws(3, 1, range(2000)).stages(shares)
    assert drawn == Draws(3, 1, range(2000)).stages(shares)
    assert drawn != Draws(3, 2, range(2000)).stages(shares)
    assert np.bincount(drawn, minlength=5)[1] == pytest.approx(400, abs=60)
    assert set(drawn) == {1, 2}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Pages of a corpus with two scorers."""
    place = tmp_path_factory.mktemp("isruc")
    tiny_corpus.write_isruc(place / "root", minutes=6)
    split = {"train": ["I-001", "II-001"], "validation": ["I-002"], "test": ["III-001"]}
    (place / "split.json").write_text(json.dumps(split))
    run(place / "pages", place / "root", "isruc", style="paper", split_file=place / "split.json")
    return place / "pages"


def argv(dataset, out, *more):
    told = {
        "dataset": dataset,
        "model": "tiny",
        "output_dir": out,
        "disable_tqdm": "true",
        "per_device_train_batch_size": 4,
        "validation_pages": 4,
        "max_steps": 4,
        "logging_steps": 1,
        "save_steps": 2,
        "eval_steps": 4,
    }
    return [part for key, value in told.items() for part in (f"--{key}", str(value))] + list(more)


def test_a_training_records_its_scorers_and_resumes_to_the_same_weights(dataset, tmp_path, capsys):
    sft.main(argv(dataset, tmp_path / "model", "--soft-labels"))
    assert ModelFolder.load(tmp_path / "model").soft_labels
    record = json.loads((tmp_path / "model" / "training.json").read_text())
    train = page_set.load(str(dataset), None, "train")
    differ = (train.index.label != train.index.label_2) & (train.index.label_2 >= 0)
    assert record["preflight"]["disputed"] == int(differ[train.rows].sum()) > 0
    assert "who differ on" in capsys.readouterr().out
    card = (tmp_path / "model" / "README.md").read_text()
    assert "cross-entropy against the shares of the scorers" in card
    assert "each training recording has the stages of one scorer" not in card
    second = record["validation"]["second_scorer"]
    assert f"A second person scored {second['pages']} of these pages, and agrees" in card
    # Interrupted after step 2, and resumed
    again = tmp_path / "again"
    rest = shutil.ignore_patterns("checkpoint-4")
    shutil.copytree(tmp_path / "model", again, ignore=rest)
    (again / "model.safetensors").unlink()
    with pytest.raises(BuildError, match="soft_labels"):
        sft.main([*argv(dataset, again), "--resume-from-checkpoint", "true"])
    sft.main([*argv(dataset, again, "--soft-labels"), "--resume-from-checkpoint", "true"])
    name = "model.safetensors"
    assert (again / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_another_loss_beside_it_is_refused():
    words = [
        "--dataset",
        "d",
        "--model",
        "tiny",
        "--soft-labels",
        "--label-smoothing-factor",
        "0.1",
    ]
    with pytest.raises(BuildError, match="--soft-labels has a loss of its own; leave out"):
        arguments.parse(words)
