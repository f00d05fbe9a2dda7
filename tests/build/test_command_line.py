"""Command line: light, one line for each refusal, and the file never wins over the command."""

import re
import subprocess
import sys

import click
import pytest
import tiny
import yaml
from builds import PSGIMG, content
from click.testing import CliRunner
from PIL import Image
from psgimg.builder.cli import command_line, main

COMMANDS = sorted(command_line().commands)


def psgimg(*words, cwd=None):
    return subprocess.run(
        [*PSGIMG, *map(str, words)], capture_output=True, text=True, check=False, cwd=cwd
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    tiny.write_shhs(root, n_subjects=2, visits=(1,))
    return root


@pytest.mark.parametrize(
    "words", [(), *((name,) for name in COMMANDS)], ids=lambda w: " ".join(w) or "psgimg"
)
def test_help_is_light_and_fits_a_screen(words):
    """No heavy library for a help text: it would take seconds, and torch is not even installed."""
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom psgimg.builder.cli import command_line\n"
        f"result = CliRunner().invoke(command_line(), {[*words, '--help']!r})\nprint(result.output)\n"
        "heavy = {'torch', 'mne', 'matplotlib', 'scipy', 'numba', 'datasets', 'pyarrow', 'edfio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "Usage:" in done.stdout
    assert len(done.stdout.splitlines()) <= 50


def test_the_keys_of_build_json_are_read_without_any_library_of_signals():
    """Forty modules name these types; what they import is paid for at every start."""
    program = (
        "import sys, psgimg.builder.dataset.build_json\n"
        "print(sorted({'numpy', 'pyarrow', 'scipy', 'mne'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def loaded_by(program, cwd):
    """Names of the libraries that a program has imported at its end."""
    program += "\nimport sys\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


ELSEWHERE = {
    "pandas",
    "datasets",
    "mne",
    "matplotlib",
    "h5py",
    "wfdb",
    "edfio",
    "torch",
    "openpyxl",
}


def test_a_build_imports_no_library_that_it_does_not_need(corpus, tmp_path):
    """Each costs tenths of a second, which short builds and tests feel."""
    words = ["build", "--source", "shhs", "--root", str(corpus), "--workers", "1"]
    program = (
        "import sys\nfrom psgimg.builder.cli import command_line\n"
        f"command_line()({words!r}, standalone_mode=False)\n"
        "assert not {'scipy.signal', 'scipy.optimize', 'scipy.stats'} & set(sys.modules)\n"
    )
    assert not loaded_by(program, tmp_path) & ELSEWHERE


def test_a_worker_imports_what_draws_and_writes_alone(corpus, tmp_path):
    """Each worker imports anew what its task needs: no card, no template, no server."""
    program = (
        "import pathlib, pickle, subprocess, sys\n"
        "from psgimg.builder import tasks\nfrom psgimg.builder.building.one_recording import draw\n"
        "from psgimg.builder.corpora import sources\n"
        "from psgimg.builder.dataset.config import BuildConfig\n"
        f"config = BuildConfig(('shhs',), ({str(corpus)!r},), pathlib.Path('out'), limit=1)\n"
        "located = sources.locate(config.corpora, config.root)\n"
        "task = tasks.make_tasks(config, located, config.split_policy()).tasks[0]\n"
        "pathlib.Path('work').write_bytes(pickle.dumps((draw, task)))\n"
    )
    loaded_by(program, tmp_path)
    worker = (
        "import pathlib, pickle, sys\n"
        "work, task = pickle.loads(pathlib.Path('work').read_bytes())\n"
        "assert work(task).n_pictures\n"
        "assert not {'scipy.signal', 'scipy.optimize', 'scipy.stats'} & set(sys.modules)\n"
    )
    beyond = {"pydantic", "huggingface_hub", "jinja2", "rich", "click", "PIL", "httpx2", "tenacity"}
    assert not loaded_by(worker, tmp_path) & (ELSEWHERE | beyond)


def test_every_option_has_a_help_text():
    for command in command_line().commands.values():
        assert command.help
        options = [option for option in command.params if isinstance(option, click.Option)]
        assert all(option.help for option in options)


def epochs_by_split(said):
    """Return the lines of the table of epochs by stage and split."""
    return re.findall(r"^ shhs +(?:train|validation|test) .*$", said, re.M)


def test_build_check_and_preview_work_from_the_shell(corpus, tmp_path):
    done = psgimg("check", "--source", "shhs", "--root", corpus, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 recordings would be built, 0 set aside" in done.stdout
    assert not list(tmp_path.iterdir()), "check writes nothing"
    foreseen = epochs_by_split(done.stdout)
    done = psgimg("build", "--source", "shhs", "--root", corpus, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "shhs: 2 recordings found, 2 built (2 subjects), 0 set aside" in done.stdout
    assert foreseen == epochs_by_split(done.stdout)
    assert len(foreseen) == 3
    assert "No subject is in" in done.stdout
    assert "--splits" in done.stdout
    done = psgimg(
        "preview",
        "--source",
        "shhs",
        "--root",
        corpus,
        "--recording",
        "shhs1-200001",
        "--epoch",
        3,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "page.png") as page:
        assert page.size == (896, 448)
    assert "C4-M1" in done.stdout


def test_preview_draws_the_very_page_that_a_build_draws(corpus, tmp_path):
    import pyarrow.parquet as pq

    run = CliRunner()
    out, page = tmp_path / "out", tmp_path / "page.png"
    options = ["--source", "shhs", "--root", str(corpus)]
    assert (
        run.invoke(
            command_line(), ["build", *options, "--out", str(out), "--limit", "1", "--workers", "1"]
        ).exit_code
        == 0
    )
    row = pq.read_table(next(out.rglob("*.parquet"))).to_pylist()[4]
    found = run.invoke(
        command_line(),
        [
            "preview",
            *options,
            "--recording",
            row["recording"],
            "--epoch",
            str(row["epoch"]),
            "--out",
            str(page),
        ],
    )
    assert found.exit_code == 0, found.output
    assert page.read_bytes() == row["image"]["bytes"]


def test_preview_of_an_unknown_file_reads_common_labels(real_recordings, tmp_path):
    edf = real_recordings / "odd" / "rsleep-noxturnal-subject1.edf"
    done = psgimg("preview", edf, "--epoch", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "F4-M1" in done.stdout


def test_sources_lists_every_corpus_with_its_terms(tmp_path):
    done = psgimg("sources", cwd=tmp_path)
    assert done.returncode == 0
    for name in (
        "demo",
        "shhs",
        "isruc",
        "mass",
        "sleep-edf",
        "mesa",
        "mros",
        "cfs",
        "hmc",
        "dcsm",
    ):
        assert f"\n{name}  " in f"\n{done.stdout}"
    assert "restricted" in done.stdout
    assert "PSGIMG_SLEEP_EDF_ROOT" in done.stdout


def test_the_command_line_wins_over_the_config_file(corpus, tmp_path):
    config = tmp_path / "build.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "source": "shhs",
                "root": str(corpus),
                "style": "paper",
                "limit": 1,
                "trim": "none",
                "split-file": None,
            }
        )
    )
    done = psgimg(
        "build",
        "--config",
        config,
        "--style",
        "sleepvlm",
        "--out",
        tmp_path / "out",
        "--workers",
        1,
    )
    assert done.returncode == 0, done.stderr
    direct = psgimg(
        "build",
        "--source",
        "shhs",
        "--root",
        corpus,
        "--limit",
        1,
        "--trim",
        "none",
        "--style",
        "sleepvlm",
        "--out",
        tmp_path / "direct",
        "--workers",
        1,
    )
    assert direct.returncode == 0, direct.stderr
    assert content(tmp_path / "out") == content(tmp_path / "direct")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build"], "no --source"),
        (["build", "--source", "shh"], "did you mean shhs"),
        (["build", "--source", "demo", "--style", "fancy"], "clinical, pediatric, paper, sleepvlm"),
        (["build", "--source", "demo", "--montage", "fancy"], "aasm, central"),
        (["build", "--source", "demo", "--trim", "soon"], "is not a number of minutes"),
        (["build", "--source", "demo", "--trim", "inf"], "is not a number of minutes"),
        (["build", "--source", "demo", "--splits", "1/2"], "80/10/10"),
        (["build", "--source", "demo", "--folds", "1"], "2 or more"),
        (["build", "--source", "demo", "--public"], "go with --push"),
        (
            ["push", "nowhere", "--permission", "Dr A. Author, letter of 1 May"],
            "requires --public; give both",
        ),
        (["push", "nowhere"], "nowhere is not a folder"),
        (["export", "nowhere"], "either --labels-only or --format"),
        (["export", "nowhere", "--labels-only"], "nowhere"),
        (["export", "nowhere", "--format", "webdataset", "--prompt", "aasm"], "--format sharegpt"),
        (["rebuild", "nowhere"], "not a labels-only export"),
        (["build", "--source", "demo", "--split-file", "gone.csv"], "gone.csv"),
        (["build", "--config", "gone.yaml"], "gone.yaml"),
        (["build", "--config", "odd.yaml"], "unknown option colour"),
        (["build", "--source", "shhs", "--root", "nowhere"], "folder nowhere not found"),
        (["build", "--source", "shhs", "--source", "mass", "--root", "x"], "--root shhs=DIR"),
        (["check", "--source", "demo", "--subjects", "nobody"], "no subject nobody"),
        (["preview"], "give an EDF file"),
        (["preview", "gone.edf"], "gone.edf"),
        (
            ["preview", "--source", "demo", "--recording", "x"],
            "no recording 'x'; choose from demo-01",
        ),
        (["preview", "psgimg-demo/demo-01-PSG.edf", "--epoch", "9999"], "use --epoch 0 to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_refusal_is_one_line_that_says_what_to_do(
    words, message, tmp_path, monkeypatch, demo_corpus, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "psgimg-demo").symlink_to(demo_corpus)
    (tmp_path / "odd.yaml").write_text("colour: red\n")
    monkeypatch.setattr(sys, "argv", ["psgimg", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err.strip()
    assert ended.value.code != 0
    assert message in said
    assert "Traceback" not in said
    assert (
        len(
            [
                line
                for line in said.splitlines()
                if not line.startswith(("Usage", "Try", "\n")) and line
            ]
        )
        == 1
    ), said


def test_a_config_file_whose_values_yaml_would_change_is_refused_with_quotes_as_remedy(tmp_path):
    config = tmp_path / "build.yaml"
    for subjects, said in (
        ("[0010, 0012]", "line 2: YAML reads 0010 as 8; put it in quotes"),
        ("[1.10]", "--subjects must be text, not 1.1; put it in quotes"),
        ("true", "--subjects must be text, not True; put it in quotes"),
    ):
        config.write_text(f"source: mesa\nsubjects: {subjects}\n")
        done = psgimg("build", "--config", config)
        assert done.returncode != 0
        assert said in done.stderr
    config.write_text("source: demo\nscorer: 1.0\n")
    assert "--scorer must be text, not 1.0" in psgimg("check", "--config", config).stderr
