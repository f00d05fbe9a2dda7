"""What the suite does not depend on: other libraries' deprecations, and the environment."""

import fnmatch
import json
import os
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
import tiny
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TESTS = Path(__file__).parent
OURS = ("psgimg.builder.build", "psgimg.finetune.sft", __name__, tiny.__name__)
DEPRECATIONS = (
    (DeprecationWarning, "use that"),
    (PendingDeprecationWarning, "use that soon"),
    (FutureWarning, "`this` is going"),
    (UserWarning, "this\nfunction is deprecated and will go"),
)


def warn(category, message, module):
    """A warning as one that is attributed to a line of a module."""
    warnings.warn_explicit(message, category, f"{module}.py", 1, module=module, registry={})


@pytest.mark.parametrize("module", OURS)
@pytest.mark.parametrize(("category", "message"), DEPRECATIONS)
def test_what_our_own_code_uses_of_a_library_must_not_be_deprecated(category, message, module):
    with pytest.raises(category):
        warn(category, message, module)


@pytest.mark.parametrize("module", ["torch.nn.modules.module", "psgimgs.other"])
@pytest.mark.parametrize(("category", "message"), DEPRECATIONS)
def test_what_a_library_uses_of_another_may_be_and_is_shown(category, message, module):
    with warnings.catch_warnings(record=True) as shown:
        warn(category, message, module)
    assert [str(one.message) for one in shown] == [message]


@pytest.mark.parametrize("category", [RuntimeWarning, UserWarning, ResourceWarning])
def test_any_other_warning_of_a_library_is_an_error(category):
    """numpy's of an invalid value, say: what we gave it was wrong."""
    with pytest.raises(category):
        warn(category, "invalid value", "numpy.lib")


def test_a_real_warning_is_attributed_to_the_module_whose_line_it_is():
    with pytest.raises(DeprecationWarning):
        warnings.warn("use that", DeprecationWarning, stacklevel=1)


def test_no_setting_of_whoever_runs_the_tests_reaches_them(tmp_path):
    """Read in a process that is started with them, as pytest is."""
    settings = {
        "HF_HUB_OFFLINE": "1",
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_TOKEN": "hf_of_somebody",
        "HF_HOME": "/somebody",
        "HUGGING_FACE_HUB_TOKEN": "hf_of_somebody",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "https_proxy": "http://127.0.0.1:9",
        "PSGIMG_SHHS_ROOT": "/somewhere",
        "PYTHONWARNINGS": "error",
    }
    code = "import conftest, json, os; print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(TESTS)!r}); {code}"],
        env=os.environ | settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    left = json.loads(done.stdout)
    assert not {name for name, value in settings.items() if left.get(name) == value}


def requirements():
    """Of pyproject.toml, as they are written there; torch is left to the platform."""
    values = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    project = values["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *extras["finetune"], *extras["test"]]
    found = map(Requirement, [*listed, *values["dependency-groups"]["dev"]])
    return [one for one in found if one.name != "torch"]


def locked():
    """Name → versions in the lock, of which there may be one for each Python."""
    found = {}
    for line in (TESTS.parent / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            one = Requirement(line)
            (pin,) = one.specifier
            found.setdefault(canonicalize_name(one.name), set()).add(pin.version)
    return found


@pytest.mark.parametrize("one", requirements(), ids=lambda one: one.name)
def test_the_lock_has_a_version_in_the_range_of_each_requirement(one):
    versions = locked().get(canonicalize_name(one.name), set())
    assert versions, "run python .ci/lock.py"
    assert all(version in one.specifier for version in versions), "run python .ci/lock.py"


def test_the_lock_leaves_torch_to_the_platform():
    assert not [name for name in locked() if name.startswith(("torch", "nvidia-", "triton"))]


def test_every_file_of_tests_is_run(pytestconfig):
    """By default pytest passes over folders named `build` without a word, and one here is."""
    skipped = pytestconfig.getini("norecursedirs")
    parts = {part for path in TESTS.rglob("test_*.py") for part in path.relative_to(TESTS).parts}
    assert "build" in parts
    assert not [part for part in parts for pattern in skipped if fnmatch.fnmatch(part, pattern)]
