"""Options of `psgimg evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.errors import BuildError
from psgimg.finetune.evaluation import against_scoring, stage_words
from psgimg.finetune.evaluation.clinical import bins
from psgimg.finetune.evaluation.other_tools.tools import TOOLS
from psgimg.finetune.evaluation.stage_words import Codes


@dataclass(frozen=True)
class EvaluateConfig:
    """Options of `psgimg evaluate`.

    Parameters
    ----------
    files
        Predictions files; each further one is compared with the first, epoch by epoch, joined to it or
        combined with it. With ``tool``, files and folders of that tool.
    out
        Output folder; None names it after the first file, beside it.
    join
        Whether the files have disjoint epochs, such as those of folds, and are evaluated as one.
    combine
        Whether the files are members of an ensemble, whose mean probabilities are evaluated.
    tool
        The sleep stager that wrote the files, a key of
        :data:`psgimg.finetune.evaluation.other_tools.tools.TOOLS`; None for predictions files.
    labels
        Scored epochs for ``tool``: a predictions file, or a folder or Hub id of a dataset.
    codes
        Stages of numbers or words in the files or in the scoring of ``against``, as of
        :func:`psgimg.finetune.evaluation.stage_words.parse_codes`.
    subjects_table
        Table of subjects, such as BIDS's ``participants.tsv``; None for no groups.
    by
        Columns of it to group by, as of :func:`psgimg.finetune.evaluation.clinical.bins.parse`.
    against, scoring_format
        Somebody's scoring of the night whose folder of `psgimg stage` is the only file; and the corpus,
        or its YAML file, whose format it has, None to recognise it.
    """

    files: tuple[Path, ...]
    out: Path | None = None
    join: bool = False
    combine: bool = False
    tool: str | None = None
    labels: str | None = None
    codes: str | None = None
    subjects_table: Path | None = None
    by: str | None = None
    against: Path | None = None
    scoring_format: str | None = None

    def __post_init__(self) -> None:
        if not self.files:
            raise BuildError("no predictions file given; name at least one")
        self._check_together("--by", self.by, "--subjects-table", self.subjects_table, "FILE")
        self._check_together("--from", self.tool, "--labels", self.labels, "FILE|DATASET")
        if self.tool is not None and self.tool not in TOOLS:
            raise BuildError(f"--from {self.tool}: unknown tool; use {', '.join(TOOLS)}")
        given = {
            "--join": self.join,
            "--combine": self.combine,
            "--from": self.tool is not None,
            "--against": self.against is not None,
        }
        if len(both := [name for name, is_given in given.items() if is_given]) > 1:
            raise BuildError(
                f"{' and '.join(both)} can't be used together; evaluate one of them first, and give "
                "the predictions file that it writes"
            )
        self._check_against()
        if self.by is not None:
            bins.parse(self.by)
        _ = self.stages_of
        if self.made is not None and self.made.resolve() in {path.resolve() for path in self.files}:
            raise BuildError(f"{self.made} is read and would be replaced; choose another --out")

    def _check_against(self) -> None:
        """Refuse several nights, and a format without a scoring; name the remedy for a night alone."""
        if self.against is not None and len(self.files) > 1:
            raise BuildError(
                "--against is a scoring of one night; give one folder of `psgimg stage`"
            )
        stage_words.check_alone(self.codes, self.scoring_format)
        if self.against is None and self.scoring_format is not None:
            raise BuildError(f"--scoring-format {self.scoring_format} needs --against FILE")
        if self.against is None and (night := self._night()) is not None:
            raise BuildError(
                f"{night} has stages of `psgimg stage` and no scoring; give somebody's scoring of the "
                "night with --against FILE"
            )

    def _night(self) -> Path | None:
        """Return the first file that is a folder of `psgimg stage`, or its table."""
        tables = (against_scoring.folder(path) / against_scoring.TABLE for path in self.files)
        own = (one for one in tables if one.is_file() and self.tool is None)
        return next(
            (one.parent for one in own if one.parent in self.files or one in self.files), None
        )

    @staticmethod
    def _check_together(
        first: str, one: object | None, second: str, other: object | None, value: str
    ) -> None:
        if one is not None and other is None:
            raise BuildError(f"{first} needs {second} {value}")
        if one is None and other is not None:
            example = ", such as --by age,sex,ahi" if first == "--by" else f" {'|'.join(TOOLS)}"
            raise BuildError(f"{second} needs {first}{example}")

    @property
    def stages_of(self) -> Codes:
        """Stages of numbers and words by ``codes``; empty without."""
        return stage_words.parse_codes(self.codes) if self.codes else {}

    @property
    def folder(self) -> Path:
        """Output folder."""
        kind = "joined-" if self.join else "combined-" if self.combine else ""
        first = self.files[0] if self.against is None else against_scoring.folder(self.files[0])
        named = first.resolve() if first.name in ("", "..") else first
        return self.out or named.with_name(f"{named.stem}-{kind}evaluation")

    @property
    def made(self) -> Path | None:
        """Predictions file that the command writes into its folder; None if it writes none."""
        if self.combine:
            return self.folder / COMBINED
        return None if self.tool is None else self.folder / f"{self.tool}.parquet"


COMBINED = "combined.parquet"
MADE = tuple(
    f"{name}{end}"
    for name in (COMBINED, *(f"{tool}.parquet" for tool in TOOLS))
    for end in ("", ".json")
)
"""Names of predictions files that the command may write, and of the JSON files beside them."""
