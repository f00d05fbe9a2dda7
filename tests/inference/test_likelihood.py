"""Scoring: the cached way gives what whole forwards give, in every family and any batch."""

import json

import numpy as np
import pytest
from PIL import Image
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("trl")

import tiny_models  # noqa: E402
from psgimg.builder.dataset.prompts import Prompt  # noqa: E402
from psgimg.finetune.data.chat import chat_row  # noqa: E402
from psgimg.finetune.data.context import Context  # noqa: E402
from psgimg.finetune.inference import encoding  # noqa: E402
from psgimg.finetune.inference.generation import generate  # noqa: E402
from psgimg.finetune.inference.likelihood import Scorer  # noqa: E402
from psgimg.finetune.inference.parse_answer import parse  # noqa: E402
from psgimg.finetune.models import compatibility, compiled  # noqa: E402

ANSWERS = {stage: stage for stage in STAGE_NAMES}
PROMPT = Prompt("", tiny_models.TEXTS[0], ANSWERS)
FAMILIES = sorted(tiny_models.FAMILIES)

pytestmark = pytest.mark.filterwarnings("error:.*past_key_values")  # it would reach the user


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
            context=Context(2),
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


@pytest.mark.parametrize("way", ["pass", "tree"])
def test_every_way_equals_whole_forwards_over_pages_of_mixed_sizes(family, way):
    name, model, processor = family
    score = Scorer(model, processor, ANSWERS, ways=[way])
    found, whole = score(rows()), score.full(rows())
    assert score.way == (
        "forwards" if name == "qwen3_5" else way
    )  # its running states can't be repeated
    np.testing.assert_allclose(found.log_probs, whole.log_probs, atol=1e-4)
    np.testing.assert_allclose(found.log_mass, whole.log_mass, atol=1e-4)
    assert found.log_probs.std(axis=0).min() > 1e-3, "pages do not matter, so nothing was tested"


def test_scoring_makes_transformers_log_no_deprecation(family, caplog):
    """Such as that a name is deprecated, which it logs once for a process."""
    _, model, processor = family
    transformers.utils.logging.warning_once.cache_clear()
    with caplog.at_level("WARNING", logger="transformers"):
        Scorer(model, processor, ANSWERS)(rows()[:1])
    assert not [message for message in caplog.messages if "deprecated" in message]


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
    scores = Scorer(model, processor, ANSWERS)([row])
    log_probs, log_mass = scores.log_probs, scores.log_mass
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
        Scorer(model, processor, ANSWERS)(rows()[:1])
        generate(model, processor, rows()[:1], 2)
        assert model.training
    finally:
        model.eval()


def test_a_family_without_a_tree_is_noted_once_and_others_are_not(family):
    name, model, processor = family
    notes = []
    score = Scorer(model, processor, ANSWERS, notes.append)
    for _ in range(2):
        score(rows()[:1])
    slow = (
        "Qwen3_5ForConditionalGeneration can't score all answers on one cached prompt: each "
        "page takes five full forward passes, four to five times as long"
    )
    assert notes == ([slow] if name == "qwen3_5" else [])


@pytest.mark.parametrize("first", ["pass", "tree"])
@pytest.mark.parametrize(("window", "kept"), [(4096, True), (180, False), (16, False)])
def test_a_prompt_longer_than_the_window_of_attention_is_scored_by_whole_forwards(
    tmp_path, window, kept, first
):
    """A cache of such layers forgets, and a tree would be hidden from what it should see."""
    folder = tmp_path / "model"
    tiny_models.build("qwen2_5_vl", folder, seed=1)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["text_config"] |= {
        "use_sliding_window": True,
        "sliding_window": window,
        "layer_types": ["sliding_attention"] * config["text_config"]["num_hidden_layers"],
    }
    path.write_text(json.dumps(config))
    model, processor = tiny_models.open_("qwen2_5_vl", folder)
    score = Scorer(model, processor, ANSWERS, ways=[first])
    shortest = score(rows()[1:2])
    assert score.way == ("forwards" if window == 16 else first)
    found = score(rows())
    assert score.way == (first if kept else "forwards")
    np.testing.assert_allclose(found.log_probs, score.full(rows()).log_probs, atol=1e-4)
    np.testing.assert_allclose(found.log_probs[1], shortest.log_probs[0], atol=1e-4)


def test_a_cache_that_counts_wrongly_is_found_out(family, monkeypatch):
    _, model, processor = family
    score = Scorer(model, processor, ANSWERS)
    monkeypatch.setattr(
        score._forward,
        "positions_after",
        lambda known, depths: {"position_ids": torch.zeros(len(known), len(depths)).long()},
    )
    found = score(rows())
    assert score.way == "forwards"
    np.testing.assert_allclose(found.log_probs, score.full(rows()).log_probs, atol=1e-12)


@pytest.mark.parametrize("way", ["pass", "tree"])
def test_an_adapter_is_scored_as_the_model_it_makes(family, way):
    from peft import LoraConfig, get_peft_model

    name, model, processor = family
    plain = Scorer(model, processor, ANSWERS)(rows())
    lora = LoraConfig(target_modules=r".*\.[qv]_proj", init_lora_weights=False, r=2)
    with compatibility.without_deprecations():
        adapted = get_peft_model(model, lora)
    try:
        score = Scorer(adapted, processor, ANSWERS, ways=[way])
        found, whole = score(rows()), score.full(rows())
        assert score.way == ("forwards" if name == "qwen3_5" else way)
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
def small(tmp_path_factory):
    """A family whose pages all have the same shape."""
    folder = tmp_path_factory.mktemp("small") / "model"
    tiny_models.build("llava", folder, seed=1)
    return tiny_models.open_("llava", folder)


def test_compiled_layers_score_the_same(small, monkeypatch):
    model, processor = small
    plain = Scorer(model, processor, ANSWERS, ways=["pass"])(rows()[:2])
    n_layers = []
    layers = compiled.compile_layers
    monkeypatch.setattr(
        compiled, "compile_layers", lambda model: n_layers.append(layers(model, backend="eager"))
    )
    try:
        found = Scorer(model, processor, ANSWERS, ways=["pass"], compiles=True)(rows()[:2])
    finally:
        compiled.undo(model)
    assert n_layers[0] > 1
    np.testing.assert_allclose(found.log_probs, plain.log_probs, atol=1e-5)


def test_where_layers_can_not_be_compiled_scoring_goes_on_with_a_line(small, monkeypatch):
    model, processor = small

    def no_compiler(graph, example):
        raise RuntimeError("no C compiler")

    layers = compiled.compile_layers
    monkeypatch.setattr(
        compiled, "compile_layers", lambda model: layers(model, backend=no_compiler)
    )
    notes = []
    score = Scorer(model, processor, ANSWERS, notes.append, ["pass"], compiles=True)
    found = score(rows()[:2])
    np.testing.assert_allclose(found.log_probs, score.full(rows()[:2]).log_probs, atol=1e-4)
    [line] = notes
    assert line.startswith("layers can't be compiled here (")
    assert "no C compiler" in line
    assert line.endswith("); scoring goes on without, more slowly")


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
    scores = Scorer(model, processor, ANSWERS)(asked)
    log_probs, log_mass = scores.log_probs, scores.log_mass
    said = [parse(text, ANSWERS) for text in generate(model, processor, asked, 8)]
    assert said == list(STAGE_NAMES)
    assert [STAGE_NAMES[i] for i in log_probs.argmax(axis=1)] == said
    assert (log_mass > np.log(0.5)).all()


def test_generation_is_the_same_alone_and_in_a_batch(taught):
    model, processor, asked = taught
    small = chat_row([picture(0, (96, 48))] * 2, None, PROMPT, 1, Context(1))
    together = generate(model, processor, [*asked, small], 8)
    assert together == [generate(model, processor, [row], 8)[0] for row in [*asked, small]]
