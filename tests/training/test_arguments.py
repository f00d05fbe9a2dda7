"""Arguments of `psgimg sft`: TRL's own, defaults that give way, refusals of one line."""

import dataclasses
import re

import pytest
import yaml
from psgimg.builder.command_options import kebab
from psgimg.builder.errors import BuildError

pytest.importorskip("torch")

from psgimg.finetune.training import arguments
from psgimg.finetune.training.arguments import parse
from psgimg.finetune.training.psg_arguments import PsgArguments
from transformers.integrations import integration_utils
from trl import SFTConfig

PAGES = ["--dataset", "pages"]
BIG = [*PAGES, "--model", "some/model"]
TINY = [*PAGES, "--model", "tiny"]

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no accelerator:UserWarning"),
    pytest.mark.filterwarnings("error:.*gradient_checkpointing"),
]


def test_a_model_of_the_hub_learns_through_an_adapter_in_full_precision_on_a_cpu():
    psg, training, model = parse(BIG)
    assert model.model_name_or_path == "some/model"
    assert (model.use_peft, model.lora_r, psg.freeze_vision) == (True, 16, True)
    assert training.max_length is None
    assert not training.bf16
    assert not training.gradient_checkpointing
    assert model.dtype == "float32"
    assert training.completion_only_loss in (None, True)


def test_the_tiny_model_has_a_recipe_of_its_own():
    psg, training, model = parse(TINY)
    assert not model.use_peft
    assert not psg.freeze_vision
    assert psg.augment == "flip,shift"
    assert (training.learning_rate, training.adam_beta2) == (1e-3, 0.99)
    assert training.per_device_train_batch_size == 16


def test_whole_weights_learn_more_slowly_than_an_adapter():
    _, whole, model = parse([*BIG, "--use-peft", "false"])
    assert not model.use_peft
    assert whole.learning_rate < parse(BIG)[1].learning_rate


@pytest.mark.parametrize("option", sorted(arguments.TINY_RECIPE))
def test_an_option_of_the_user_wins_over_the_recipe(option):
    value = {
        "use_peft": "false",
        "freeze_vision": "true",
        "augment": "shift",
        "dtype": "float32",
        "fp16": "false",
        "bf16": "true",
        "gradient_checkpointing": "true",
        "learning_rate": "0.002",
        "weight_decay": "0.1",
        "adam_beta2": "0.95",
    }.get(option, "7")
    more = ["--use-cpu", "true"] if option == "bf16" else []
    told = parse([*TINY, f"--{option}", value, *more])
    part = next(part for part in told if hasattr(part, option))
    assert str(getattr(part, option)).lower().removesuffix(".0") == value


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(tmp_path):
    path = tmp_path / "sft.yaml"
    path.write_text("model: tiny\nlearning_rate: 0.5\nadam_beta2: 0.9\nsampling: sqrt\n")
    for given in (["--config", str(path)], [f"--config={path}"]):
        psg, training, _ = parse([*PAGES, *given, "--learning-rate", "0.25"])
        assert psg.is_tiny
        assert psg.sampling == "sqrt"
        assert (training.learning_rate, training.adam_beta2) == (0.25, 0.9)
        assert training.per_device_train_batch_size == 16


@pytest.mark.parametrize("is_file", [False, True])
def test_options_of_ours_and_of_trl_are_the_same_with_dashes_and_underscores(tmp_path, is_file):
    def parsed(spell):
        options = {"train_subjects": 3, "use_peft": False, "max_steps": 4, "lora_r": 5}
        options = {spell(name): value for name, value in options.items()}
        if is_file:
            path = tmp_path / "sft.yaml"
            path.write_text(yaml.safe_dump(options))
            return parse([*BIG, "--config", str(path)])
        return parse([*BIG, *(f"--{name}={value}" for name, value in options.items())])

    found = [parsed(spell) for spell in (str, kebab, lambda name: name.replace("_", "-", 1))]
    for psg, training, model in found:
        assert (psg.train_subjects, training.max_steps) == (3, 4)
        assert (model.use_peft, model.lora_r) == (False, 5)


def test_a_switch_may_be_turned_off_by_its_no_in_either_spelling():
    for word in ("--no_freeze_vision", "--no-freeze-vision"):
        assert not parse([*BIG, word])[0].freeze_vision


def test_a_value_keeps_its_spelling():
    psg, training, _ = parse([*PAGES, "--model", "a_b-c", "--output-dir=o_p-q"])
    assert (psg.model, training.output_dir) == ("a_b-c", "o_p-q")


def test_the_command_hands_its_words_to_the_parser_as_they_stand(monkeypatch, tmp_path):
    """Click knows few of the options, and would take the next word for the value of a switch."""
    from click.testing import CliRunner
    from psgimg.builder.cli import command_line
    from psgimg.finetune import sft

    given = []
    monkeypatch.setattr(sft, "main", lambda words: given.append(words) or tmp_path)
    words = ["--use_peft", "--dataset", "pages", "--report-to", "wandb", "trackio", "--model", "m"]
    done = CliRunner().invoke(command_line(), ["sft", *words])
    assert done.exit_code == 0, done.output
    assert given == [words]
    assert "--dataset pages --split test" in done.output


def test_the_list_of_all_options_shows_one_spelling():
    shown = arguments.listed()
    assert "--per-device-train-batch-size " in shown
    assert "--corpus " in shown
    assert not re.findall(r"^ +--\w*_\w*", shown, re.M)


def test_the_name_that_trl_gives_the_model_does_too():
    psg, _, model = parse([*PAGES, "--model-name-or-path", "tiny"])
    assert psg.is_tiny
    assert model.model_name_or_path == "tiny"


def names_of_checkpointing():
    both = ("gradient_checkpointing", "activation_checkpointing")
    return [name for name in both if name in {one.name for one in dataclasses.fields(SFTConfig)}]


@pytest.mark.parametrize("name", names_of_checkpointing())
@pytest.mark.parametrize("wanted", [True, False])
def test_checkpointing_is_taken_by_each_name_that_transformers_knows(name, wanted, tmp_path):
    path = tmp_path / "sft.yaml"
    path.write_text(f"{name}: {not wanted}\n")
    on_the_line = [f"--{name}", str(wanted)]
    for argv, expected in [
        (on_the_line, wanted),
        (["--config", str(path)], not wanted),
        (["--config", str(path), *on_the_line], wanted),
    ]:
        _, training, _ = parse([*BIG, *argv])
        assert {getattr(training, one) for one in names_of_checkpointing()} == {expected}


def test_options_of_checkpointing_are_taken_by_each_name_too():
    for name in names_of_checkpointing():
        given = [f"--{name}", "true", f"--{name}_kwargs", '{"use_reentrant": true}']
        _, training, _ = parse([*BIG, *given])
        for one in names_of_checkpointing():
            assert getattr(training, f"{one}_kwargs") == {"use_reentrant": True}


def test_a_service_to_report_to_must_be_installed_before_a_model_is_loaded(monkeypatch):
    monkeypatch.setattr(integration_utils, "is_wandb_available", lambda: False)
    with pytest.raises(BuildError, match=r"^--report-to wandb: .*pip install wandb.*; leave the"):
        parse([*BIG, "--report-to", "wandb"])


def test_neighbours_are_not_mirrored():
    assert parse([*TINY, "--context", "1"])[0].augment == "shift"
    with pytest.raises(BuildError, match="neighbours on the wrong side"):
        parse([*TINY, "--context", "1", "--augment", "flip,shift"])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--model", "tiny"], "no dataset; pass --dataset"),
        (PAGES, "no model; pass --model"),
        ([*BIG, "--packing", "true"], "--packing: pages can't be packed"),
        ([*BIG, "--padding-free", "true"], "--padding-free: pages need padding"),
        ([*BIG, "--assistant-only-loss", "true"], "--assistant-only-loss: the loss already covers"),
        ([*BIG, "--max-length", "512"], "--max-length 512 would cut image tokens"),
        ([*BIG, "--completion-only-loss", "false"], "--completion-only-loss false: the loss"),
        ([*TINY, "--use-peft", "true"], "--model tiny trains all its weights"),
        ([*BIG, "--use-peft", "false", "--load-in-4bit", "true"], "4 or 8 bit can't be trained"),
        (
            [*BIG, "--learing-rate", "1"],
            "unknown option --learing-rate; did you mean --learning-rate",
        ),
        ([*BIG, "--sampling", "evenly"], "invalid choice: 'evenly'"),
        ([*BIG, "--learning-rate", "fast"], "--learning-rate"),
        ([*BIG, "--config", "none.yaml"], "--config none.yaml: no such file"),
        ([*BIG, "--config"], "--config: name a YAML file"),
        ([*BIG, "--config", "shhs"], "--config shhs: .*a corpus of the dataset is --corpus shhs"),
        ([*BIG, "--config=shhs"], "--config shhs: .*a corpus of the dataset is --corpus shhs"),
        (
            [*BIG, "--dataset_config", "shhs"],
            "unknown option --dataset-config: use --corpus",
        ),
        ([*BIG, "--out", "x"], "unknown option --out: use --output-dir"),
        ([*BIG, "--learning_rate", "fast"], "argument --learning-rate: invalid"),
        (
            [*BIG, "--validation-pages", "0"],
            "--validation-pages 0: must be at least 1; .*--eval-strategy no",
        ),
        (
            [*BIG, "--per-device-train-batch-size", "0"],
            "--per-device-train-batch-size 0: must be at least 1",
        ),
        (
            [*BIG, "--per-device-eval-batch-size", "-1"],
            "--per-device-eval-batch-size -1: must be at least 1",
        ),
        (
            [*BIG, "--gradient-accumulation-steps", "0"],
            "--gradient-accumulation-steps 0: must be at least 1",
        ),
        ([*BIG, "--report-to", "nix"], "--report-to nix: nix is not supported, only .*wandb"),
        ([*BIG, "--seed", "-1"], "--seed -1: give 0 to 4294967295"),
        ([*BIG, "--seed", str(2**32)], "--seed 4294967296: give 0 to 4294967295"),
        ([*BIG, "--learning-rate", "nan"], "--learning-rate nan: must be a number above 0"),
        ([*BIG, "--learning-rate", "inf"], "--learning-rate inf: must be a number above 0"),
        ([*BIG, "--learning-rate", "0"], "--learning-rate 0.0: must be a number above 0"),
        ([*BIG, "--max-steps", "0"], "--max-steps 0: must be at least 1"),
        ([*BIG, "--num-train-epochs", "0"], "--num-train-epochs 0.*: must be above 0"),
        (
            [*BIG, "--train-sampling-strategy", "group_by_length"],
            "--train-sampling-strategy group_by_length: all pages have the same length",
        ),
        (
            [*BIG, "--dataloader-persistent-workers", "true", "--dataloader-num-workers", "1"],
            "--dataloader-persistent-workers: pages would be augmented identically",
        ),
        (
            [*BIG, "--load-best-model-at-end", "true", "--metric-for-best-model", "f1"],
            "--metric-for-best-model f1: use one of loss, accuracy, .*macro_f1.*f1_REM",
        ),
        ([*BIG, "--context", "6"], "context 6: must be the number of pages"),
        (
            [*BIG, "--context", "1", "--context-scale", "2"],
            "context scale 2: must be a neighbour's",
        ),
        ([*BIG, "--context-scale", "0.5"], "--context-scale 0.5: no neighbours are shown; add"),
        ([*BIG, "--context-mixed", "true"], "--context-mixed: no neighbours are shown; add"),
        ([*BIG, "--output-dir", __file__], "--output-dir .*test_arguments.py is not a writable"),
        (
            [*BIG, "--output-dir", f"{__file__}/out"],
            "--output-dir .*test_arguments.py is not a writable",
        ),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(argv, said):
    with pytest.raises(BuildError, match=said) as caught:
        parse(argv)
    assert "\n" not in str(caught.value)


def test_an_unknown_option_of_the_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "sft.yaml"
    path.write_text("learing_rate: 1\n")
    with pytest.raises(BuildError, match="unknown option --learing-rate; did you mean"):
        parse([*TINY, "--config", str(path)])
    path.write_text("- a\n- b\n")
    with pytest.raises(BuildError, match="expected `key: value` lines"):
        parse([*TINY, "--config", str(path)])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("augment: mirror", "--augment mirror: use none, or one or more of flip, shift, lanes"),
        ("sampling: 3", "--sampling 3: use one of natural"),
        ("validation_pages: null", "--validation-pages None: must be an integer"),
        ("context: 1.5", "--context 1.5: must be an integer"),
        ("context: [1]", "--context [1]: must be an integer"),
        ("context: true", "--context True: must be an integer"),
        ("train_subjects: 0.5", "--train-subjects 0.5: must be an integer or null"),
        ("freeze_vision: 3", "--freeze-vision 3: must be true or false"),
        ("prompt: true", "--prompt True: must be text"),
        ("learning_rate: [1]", "--learning-rate [1]: must be a number"),
        ("learning_rate: null", "--learning-rate None: must be a number"),
        (
            "per_device_train_batch_size: 1.5",
            "--per-device-train-batch-size 1.5: must be an integer",
        ),
        ("output_dir: 3", "not int"),
        ("seed: 0010", "sft.yaml, line 1: YAML reads 0010 as 8; put it in quotes"),
    ],
)
def test_a_value_of_the_file_that_is_of_another_kind_is_refused_in_one_line(tmp_path, line, said):
    path = tmp_path / "sft.yaml"
    path.write_text(f"{line}\n")
    with pytest.raises(BuildError, match=re.escape(said)) as caught:
        parse([*TINY, "--config", str(path)])
    assert "\n" not in str(caught.value)


def test_a_number_of_the_file_may_be_whole_and_an_option_be_left_open(tmp_path):
    path = tmp_path / "sft.yaml"
    path.write_text("learning_rate: 1\nnum_train_epochs: 3\ntrain_subjects: null\naugment: none\n")
    psg, training, _ = parse([*TINY, "--config", str(path)])
    assert (training.learning_rate, psg.train_subjects, psg.augment) == (1, None, "none")


@pytest.mark.parametrize("name", ["loss", "eval_loss", "kappa", "eval_macro_f1", "f1_REM"])
def test_the_best_model_may_be_chosen_by_every_figure_of_the_validation(name):
    best = ["--load-best-model-at-end", "true", "--metric-for-best-model", name]
    assert parse([*TINY, *best])[1].metric_for_best_model == name


def test_steps_may_stand_for_passes():
    assert parse([*TINY, "--num-train-epochs", "0", "--max-steps", "5"])[1].max_steps == 5


def test_a_token_is_refused_and_not_repeated():
    with pytest.raises(
        BuildError, match=r"training_args\.bin; use `hf auth login` or HF_TOKEN"
    ) as caught:
        parse([*BIG, "--hub-token", "hf_secret"])
    assert "hf_secret" not in str(caught.value)


def test_reading_the_arguments_makes_no_folder(tmp_path):
    parse([*TINY, "--output-dir", str(tmp_path / "a" / "b")])
    assert not list(tmp_path.iterdir())


def test_every_option_of_ours_has_help():
    for one in dataclasses.fields(PsgArguments):
        assert one.metadata["help"].endswith((".", "shows."))


def test_the_help_shows_our_options_and_those_of_trl(capsys):
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for option in ("--dataset", "--sampling", "--learning-rate", "--lora-r", "--push-to-hub"):
        assert option in shown
