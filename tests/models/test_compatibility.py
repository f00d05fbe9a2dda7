"""Compatibility: older and newer names of transformers, each where it is the one that is taken."""

import logging
import logging.handlers
import subprocess
import warnings
from types import SimpleNamespace

import pytest
from builds import PSGIMG
from psgimg.finetune.models import compatibility


def test_a_cache_is_read_and_given_by_the_name_of_either_version():
    cache = object()
    for name in ("cache", "past_key_values"):
        assert compatibility.cache_of(SimpleNamespace(**{name: cache})) is cache
        assert compatibility.cache_argument(cache, {"input_ids", name}) == {name: cache}


def test_a_training_option_goes_by_its_newest_name_that_is_known():
    values = {"gradient_checkpointing": True, "learning_rate": 0.1}
    assert compatibility.training_options(values, {"gradient_checkpointing"}) == values
    assert compatibility.training_options(
        values, {"gradient_checkpointing", "activation_checkpointing"}
    ) == {"activation_checkpointing": True, "learning_rate": 0.1}


def test_older_names_in_other_libraries_are_silenced_and_nothing_else():
    with compatibility.without_deprecations():
        warnings.warn("`is_gradient_checkpointing` is deprecated", FutureWarning, stacklevel=1)
    with (
        pytest.raises(FutureWarning, match="something else"),
        compatibility.without_deprecations(),
    ):
        warnings.warn("something else is deprecated", FutureWarning, stacklevel=1)


def test_the_trainer_does_not_remark_on_how_it_sorts_checkpoints():
    seen = logging.handlers.BufferingHandler(10)
    logger = logging.getLogger("transformers.trainer_utils")
    logger.addHandler(seen)
    try:
        with compatibility.without_deprecations():
            logger.warning("mtime may not be reliable on this filesystem, falling back")
            logger.warning("something else")
    finally:
        logger.removeHandler(seen)
    assert [record.getMessage() for record in seen.buffer] == ["something else"]


@pytest.mark.parametrize(
    ("fails", "words"),
    [
        ("raise RuntimeError('built for other CUDA versions')", "for other CUDA versions"),
        ("import ctypes; ctypes.CDLL('/nowhere/libtorchaudio.so')", "cannot open shared object"),
    ],
)
def test_a_library_beside_another_torch_is_named_in_one_line(fails, words, tmp_path):
    facts = tmp_path / "torchaudio-2.0.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: torchaudio\nVersion: 2.0.0\n")
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text(f"{fails}\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {PSGIMG[-1]}"
    done = subprocess.run(
        [*PSGIMG[:-1], code, "merge", "adapter", "--out", "whole"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line
    assert "trl can't be imported, as torchaudio fails" in line
    assert line.endswith("pip uninstall torchaudio")
