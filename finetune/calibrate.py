"""Calibrate: fit temperature and weight of transitions to predictions of people held out.

The main path of `psgimg calibrate`. Both are kept with a model, which then applies them, or applied to a
file of predictions by whatever method.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, ownership
from psgimg.builder.words import counted
from psgimg.finetune import hub
from psgimg.finetune.data import page_set
from psgimg.finetune.decoding import calibration_fit, decoded, transitions
from psgimg.finetune.decoding.calibration_fit import Calibration
from psgimg.finetune.decoding.decoded import Decoding
from psgimg.finetune.decoding.transitions import Transitions
from psgimg.finetune.metrics import predictions
from psgimg.finetune.metrics.predictions import Predictions
from psgimg.finetune.models import identity, provenance
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.training import model_card, training_report

LEARNED_ON = ("train", "test")
"""Splits on which nothing may be fitted: the model knows the one, and is judged by the other."""


@dataclass(frozen=True)
class CalibrateConfig:
    """Options of `psgimg calibrate`.

    Parameters
    ----------
    file
        Predictions of people whom the model did not learn from, other than those it is tested on.
    model
        Folder in which the calibration is kept; None to apply it to a file.
    apply, out
        Predictions that it is applied to, and where to write the result.
    decode
        With ``apply``: whether nights are decoded.
    dataset, fold, corpus
        Dataset in whose train split transitions are counted; fold of a cross-validation and corpus.

    Raises
    ------
    BuildError
        If not exactly one of ``model`` and ``apply`` is given, or an option lacks another one.
    """

    file: Path
    model: str | None = None
    apply: Path | None = None
    out: Path | None = None
    decode: str = decoded.PAGE
    dataset: str | None = None
    fold: int | None = None
    corpus: str | None = None

    def __post_init__(self) -> None:
        if (self.model is None) == (self.apply is None):
            raise BuildError(
                "give either --model DIR, to keep the calibration there, or --apply FILE"
            )
        if (self.apply is None) != (self.out is None):
            raise BuildError("--apply FILE and --out FILE: give both")
        if self.decode == decoded.NIGHT and (self.apply is None or self.dataset is None):
            raise BuildError(
                "--decode night needs --apply FILE, and --dataset whose train split shows how stages follow "
                "each other"
            )
        if self.out is not None and self.out.resolve() in {
            path.resolve() for path in (self.file, self.apply) if path
        }:
            raise BuildError(f"{self.out} is read and would be replaced; choose another --out")


def calibrate(config: CalibrateConfig) -> Calibration:
    """Fit a calibration, and keep it with the model or apply it to a file.

    Raises
    ------
    BuildError
        If a file can't be read, has no probabilities, or has people whom it must not have; nothing is
        written then.
    """
    given, source = _read(config.file)
    _refuse_split(config.file, source)
    if config.model is not None:
        return _keep(config, config.model, given, source)
    assert config.apply is not None
    assert config.out is not None
    target, target_source = _read(config.apply)
    _refuse_same_people(given, target, config)
    known = _transitions(config)
    fit = calibration_fit.fit(given, known, str(config.file))
    decoding = Decoding(config.decode, fit, known)
    beside = config.out.with_name(f"{config.out.name}.json")
    if config.out.exists() and not ownership.read_mark(beside):
        raise ownership.foreign(config.out, "--out")
    found = decoding.apply(target)
    facts = {
        **(target_source or {}),
        "psgimg": version("psgimg"),
        "settings": {**_settings(target_source), **decoding.settings()},
        "calibrated_on": {"file": config.file.name, **fit.to_json()},
        "transitions": decoding.transitions.to_json(),
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    atomic_file.write_text(beside, text)  # first, as it marks the file
    predictions.write(config.out, found)
    return fit


def _keep(
    config: CalibrateConfig, model: str, given: Predictions, source: Mapping[str, Any] | None
) -> Calibration:
    """Fit a calibration and write it into the folder, and on the card, of the model that predicted."""
    folder = hub.folder(model)
    if folder is None:
        raise BuildError(f"{model} is not a folder of this machine; download it first: hf download")
    found = identity.identify(model)
    if found.folder is None:
        raise BuildError(
            f"{model} has no psgimg.json to keep a calibration in; use a folder written by `psgimg sft`, or "
            "--apply"
        )
    if _settings(source).get("weights") != found.weights:
        raise BuildError(
            f"{config.file} is not of these weights of {model}; predict the validation split with them: "
            "psgimg predict --split validation"
        )
    _refuse_learned_people(given, found.folder, config)
    known = found.folder.transitions or _transitions(config)
    fit = calibration_fit.fit(given, known, str(config.file))
    dataclasses.replace(found.folder, transitions=known, calibration=fit).save(folder)
    if all((folder / name).is_file() for name in (model_card.FILE, training_report.FILE)):
        model_card.write(folder)
    return fit


def _read(path: Path) -> tuple[Predictions, Mapping[str, Any] | None]:
    """Read predictions page by page before any calibration, and the JSON file beside them."""
    found = predictions.read(path)
    beside = path.with_name(f"{path.name}.json")
    try:
        source = bounded.read_json(beside) if beside.exists() else None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BuildError(f"{beside} is damaged ({reason}); predict again") from error
    source = source if isinstance(source, dict) else None
    return decoded.as_given(found, source), source


def _settings(source: Mapping[str, Any] | None) -> Mapping[str, Any]:
    settings = (source or {}).get("settings")
    return settings if isinstance(settings, Mapping) else {}


def _transitions(config: CalibrateConfig) -> Transitions:
    """Return the transitions in the train split of the dataset; none without a dataset."""
    if config.dataset is None:
        return Transitions()
    return transitions.of(page_set.load(config.dataset, config.corpus, "train", fold=config.fold))


def _refuse_split(path: Path, source: Mapping[str, Any] | None) -> None:
    """Refuse predictions that nothing may be fitted to, or of which pages are left out."""
    settings = _settings(source)
    if (split := settings.get("split")) in LEARNED_ON:
        raise BuildError(
            f"{path} is of the split {split}: nothing is fitted to people whom a model learned from or is "
            "tested on; give predictions made with --split validation"
        )
    if settings.get("limit") is not None:
        raise BuildError(f"{path} was made with --limit; predict whole nights, without it")


def _refuse_learned_people(
    given: Predictions, folder: ModelFolder, config: CalibrateConfig
) -> None:
    """Refuse predictions of people whom the model learned from."""
    people = _people(given)
    known = {provenance.subject(*key) for key in people} & set(folder.subjects)
    if known:
        raise BuildError(
            f"{config.file}: {config.model} learned from {len(known)} of its "
            f"{counted(len(people), 'subject')}; calibrate it on others"
        )


def _refuse_same_people(given: Predictions, target: Predictions, config: CalibrateConfig) -> None:
    """Refuse to fit a calibration to people to whose pages it is applied."""
    if both := sorted(_people(given) & _people(target)):
        raise BuildError(
            f"{config.file} and {config.apply} have {counted(len(both), 'subject')} in common, such as "
            f"{both[0][1]}; calibrate on other people"
        )


def _people(found: Predictions) -> set[tuple[str, str]]:
    pairs = found.table.select(["corpus", "subject"]).group_by(["corpus", "subject"]).aggregate([])
    return set(zip(*(pairs[name].to_pylist() for name in ("corpus", "subject")), strict=True))
