"""Scoring: the cached way gives what whole forwards give, in every family and any batch."""

import numpy as np
import pytest
from PIL import Image
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

import tiny_models  # noqa: E402
from psgimg.builder.dataset.prompts import Prompt  # noqa: E402
from psgimg.finetune.data.chat import chat_row  # noqa: E402
from psgimg.finetune.inference import encoding  # noqa: E402
from psgimg.finetune.inference.generation import generate  # noqa: E402
from psgimg.finetune.inference.likelihood import Scorer, score_batch  # noqa: E402
from psgimg.finetune.inference.parse_answer import parse  # noqa: E402

ANSWERS = {stage: stage for stage in STAGE_NAMES}
PROMPT = Prompt("", tiny_models.TEXTS[0], ANSWERS)
FAMILIES = sorted(tiny_models.FAMILIES)


def picture(seed, size=tiny_models.PAGE_PX):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))


def rows():
    """Pages of several sizes, with and without neighbours: every row has its own length."""
    sizes = [[tiny_models.PAGE_PX], [(112, 112)], [(160, 80)] * 3, [(224, 112), (112, 56)]]
    return [
        chat_row(
            [picture(10 * i + k, size) for k, size in enumerate(some)],
            None,
            PROMPT,
            before=len(some) - 1,
            wanted_before=2,
        )
        for i, some in enumerate(sizes)
    ]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """On contended cores, threads that wait for each other cost twenty times."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "model"
    tiny_models.build(request.param, folder, seed=1)
    model, processor = tiny_models.open_(request.param, folder)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(3)  # answers that differ from page to page, as those of a taught model
    return request.param, model, processor


def test_the_cached_way_equals_whole_forwards_over_pages_of_mixed_sizes(family):
    name, model, processor = family
    score = Scorer(model, processor, ANSWERS)
    found, whole = score(rows()), score.full(rows())
    assert score.way == (
        "forwards" if name == "qwen3_5" else "tree"
    )  # its running states can't be repeated
    np.testing.assert_allclose(found.log_probs, whole.log_probs, atol=1e-4)
    np.testing.assert_allclose(found.log_mass, whole.log_mass, atol=1e-4)
    assert found.log_probs.std(axis=0).min() > 1e-3, "pages do not matter, so nothing was tested"


def test_a_page_has_the_same_scores_alone_and_in_any_batch(family):
    _, model, processor = family
    score = Scorer(model, processor, ANSWERS)
    together = score(rows())
    alone = [score([row]) for row in rows()]
    np.testing.assert_allclose(
        together.log_probs, np.concatenate([s.log_probs for s in alone]), atol=1e-4
    )
    np.testing.assert_allclose(
        together.log_mass, np.concatenate([s.log_mass for s in alone]), atol=1e-4
    )


def test_scores_are_those_of_the_whole_answer_and_the_end_of_its_turn(family):
    """Against a plain forward of what the trainer's collator would learn from."""
    _, model, processor = family
    row = rows()[3]
    log_probs, log_mass = score_batch(model, processor, [row], ANSWERS)
    sums = []
    for stage in STAGE_NAMES:
        prompt, completion = encoding._texts(processor, row, stage)
        end = processor.tokenizer.eos_token
        text = prompt + completion[: completion.index(end) + len(end)]
        n = len(processor.tokenizer(completion[: completion.index(end) + len(end)])["input_ids"])
        encoded = processor(
            text=[text], images=[row["images"]], return_tensors="pt", add_special_tokens=False
        )
        with torch.no_grad():
            logits = model(**encoded).logits[0, :-1].log_softmax(-1)
        ids = encoded["input_ids"][0, 1:]
        sums.append(float(logits.gather(-1, ids[:, None])[-n:].sum()))
    np.testing.assert_allclose(log_probs[0] + log_mass[0], sums, atol=1e-4)


def test_probabilities_add_up_and_their_mass_is_what_the_answers_had(family):
    _, model, processor = family
    scores = Scorer(model, processor, ANSWERS)(rows())
    assert scores.log_probs.shape == (4, 5)
    np.testing.assert_allclose(np.exp(scores.log_probs).sum(axis=1), 1, atol=1e-12)
    assert (scores.log_mass < 0).all()


def test_a_model_in_training_is_left_in_training(family):
    _, model, processor = family
    model.train()
    try:
        score_batch(model, processor, rows()[:1], ANSWERS)
        generate(model, processor, rows()[:1], 2)
        assert model.training
    finally:
        model.eval()


def test_where_a_tree_is_refused_copies_of_the_cache_do_as_well(family, monkeypatch):
    """As by attention that takes no masks of its own."""
    name, model, processor = family
    score = Scorer(model, processor, ANSWERS)

    def refused(_):
        raise ValueError("no mask of four dimensions")

    monkeypatch.setattr(score, "_by_tree", refused)
    found = score(rows())
    assert score.way == ("forwards" if name == "qwen3_5" else "copies")
    np.testing.assert_allclose(found.log_probs, score.full(rows()).log_probs, atol=1e-4)


def test_a_cache_that_counts_wrongly_is_found_out(family, monkeypatch):
    _, model, processor = family
    score = Scorer(model, processor, ANSWERS)
    monkeypatch.setattr(
        score,
        "_positions_after",
        lambda known, depths: {"position_ids": torch.zeros(len(known), len(depths)).long()},
    )
    found = score(rows())
    assert score.way == "forwards"
    np.testing.assert_allclose(found.log_probs, score.full(rows()).log_probs, atol=1e-12)


# peft 0.21 asks a model of transformers 5.23 by a name that goes in 6
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_is_scored_as_the_model_it_makes(family):
    from peft import LoraConfig, get_peft_model

    name, model, processor = family
    plain = Scorer(model, processor, ANSWERS)(rows())
    lora = LoraConfig(target_modules=r".*\.[qv]_proj", init_lora_weights=False, r=2)
    adapted = get_peft_model(model, lora)
    try:
        score = Scorer(adapted, processor, ANSWERS)
        found, whole = score(rows()), score.full(rows())
        assert score.way == ("forwards" if name == "qwen3_5" else "tree")
        np.testing.assert_allclose(found.log_probs, whole.log_probs, atol=1e-4)
        assert np.abs(found.log_probs - plain.log_probs).max() > 1e-3
    finally:
        adapted.unload()


def test_answers_that_are_not_numbers_are_refused(family):
    _, model, processor = family
    weight = model.get_output_embeddings().weight
    was = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    try:
        with pytest.raises(BuildError, match="is not a number; try --dtype float32"):
            Scorer(model, processor, ANSWERS)(rows())
    finally:
        with torch.no_grad():
            weight.copy_(was)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A tiny model that has learned to name five plain pages."""
    folder = tmp_path_factory.mktemp("taught") / "model"
    tiny_models.build("idefics3", folder, seed=0)
    model, processor = tiny_models.open_("idefics3", folder)
    asked = [
        chat_row([Image.new("RGB", tiny_models.PAGE_PX, (shade,) * 3)], None, PROMPT)
        for shade in (0, 60, 120, 180, 250)
    ]
    told = encoding.candidates(processor, asked[0], ANSWERS)
    encoded = encoding.encode(model, processor, asked)
    ids = torch.cat([encoded["input_ids"], told.ids], dim=1)
    mask = torch.cat([encoded["attention_mask"], told.mask], dim=1)
    labels = torch.where(mask.bool(), ids, -100)
    labels[:, : -told.ids.shape[1]] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        out = model(**{**encoded, "input_ids": ids, "attention_mask": mask, "labels": labels})
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        if out.loss < 0.02:
            break
    return model.eval(), processor, asked


def test_both_modes_agree_on_what_a_taught_model_says(taught):
    model, processor, asked = taught
    log_probs, log_mass = score_batch(model, processor, asked, ANSWERS)
    said = [parse(text, ANSWERS) for text in generate(model, processor, asked, 8)]
    assert said == list(STAGE_NAMES)
    assert [STAGE_NAMES[i] for i in log_probs.argmax(axis=1)] == said
    assert (log_mass > np.log(0.5)).all()


def test_generation_is_the_same_alone_and_in_a_batch(taught):
    model, processor, asked = taught
    small = chat_row([picture(0, (96, 48))] * 2, None, PROMPT, before=1, wanted_before=1)
    together = generate(model, processor, [*asked, small], 8)
    assert together == [generate(model, processor, [row], 8)[0] for row in [*asked, small]]
