"""Public names: the names under which recordings are published, and numbers in place of all others.

Names of files and folders may be names of people. A name is published only if it has the form of its
corpus, or in general of letters and a number (``P001``, ``sub-12``, ``P001-night2``). Any other is
replaced by a number (subject ``s0001``, recording ``r0001``, family ``family-f0001``), given in the
order of names, and kept when the folder is extended. Only a local file links the two:

    OUT/.cache/huggingface/psgimg-names.json

It is readable by its owner only. Neither `push` and `export` nor `hf upload` send it, and Git ignores
it. If it is lost, recordings are recognised by the hashes of their signals.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, get_args

from psgimg.builder import atomic_file
from psgimg.builder.corpora import registry, sources
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.name_forms import FAMILY, Kind, is_id, odd_names
from psgimg.builder.dataset.schema import SplitName
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import bounded
from psgimg.builder.recordings import fingerprint
from psgimg.builder.recordings.recording import Corpus, Recording
from typing_extensions import TypedDict

FILE = ".cache/huggingface/psgimg-names.json"
KINDS: tuple[Kind, ...] = get_args(Kind)
BEGINNINGS: Mapping[Kind, str] = {"subject": "s", "recording": "r", "family": f"{FAMILY}f"}
"""Beginning of the numbers of each kind."""


class KnownName(TypedDict):
    """The public names of a recording, and the hash of its signal by which it is recognised."""

    corpus: str
    subject: str
    recording: str
    kin: str
    signal: str


def assign(
    located: Sequence[Source],
    out: Path,
    known: Sequence[KnownName],
    listed: Collection[tuple[str, str]] = (),
    *,
    save: bool,
) -> tuple[list[Source], PublicNames]:
    """Return the sources of a build with their recordings under public names, and these names.

    Parameters
    ----------
    out
        Folder of the dataset.
    known
        The recordings in the folder, or those of the dataset to rebuild.
    listed
        (corpus or "", subject) that a split file lists.
    save
        Whether to record new numbers in ``out``.

    Raises
    ------
    BuildError
        If a corpus has no recordings, or the names of ``out`` are damaged or can't be written.
    """
    names = PublicNames.read(out)
    before = copy.deepcopy(names.numbers)
    published = [
        replace(
            source,
            published=names.publish(
                source.corpus,
                sources.recordings(source),
                known,
                [subject for corpus, subject in listed if corpus in ("", source.corpus.name)],
            ),
        )
        for source in located
    ]
    if save and names.numbers != before:
        names.save(out)
    return published, names


@dataclass
class PublicNames:
    """The numbers given so far: corpus to kind to original name to number."""

    numbers: dict[str, dict[Kind, dict[str, str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, out: Path) -> PublicNames:
        """Read the names of a dataset folder.

        Raises
        ------
        BuildError
            If the file is damaged.
        """
        path = out / FILE
        try:
            content = bounded.read_bytes(path, bounded.REPORT) if path.exists() else b"{}"
            values: Any = bounded.loads(content, path.name, bounded.REPORT, any_text=True)
            numbers = {
                str(corpus): {kind: {**kinds.get(kind, {})} for kind in KINDS}
                for corpus, kinds in values.items()
            }
            for kinds in numbers.values():
                for kind in KINDS:
                    if odd := [n for n in kinds[kind].values() if not _is_number(kind, n)]:
                        raise ValueError(odd[0])
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise BuildError(
                f"{path} is damaged ({type(error).__name__}); restore it from a backup, or remove it: "
                "recordings are then recognised by their signals"
            ) from error
        return cls(numbers)

    def save(self, out: Path) -> None:
        """Write the names of a dataset folder, if there are any; only the owner may read the file."""
        if not any(table for kinds in self.numbers.values() for table in kinds.values()):
            return
        path = out / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.parent / ".gitignore").exists():
            atomic_file.write_text(path.parent / ".gitignore", "*\n")
        with atomic_file.whole(path) as temporary:
            temporary.touch(mode=0o600)
            text = json.dumps(self.numbers, indent=1, ensure_ascii=False, sort_keys=True)
            temporary.write_bytes(f"{text}\n".encode("utf-8", "surrogatepass"))

    def publish(
        self,
        corpus: Corpus,
        recordings: Iterable[Recording],
        known: Iterable[KnownName] = (),
        listed: Iterable[str] = (),
    ) -> tuple[Recording, ...]:
        """Return all recordings of a corpus under their public names, in the same order.

        Parameters
        ----------
        known
            The recordings of the dataset so far, or of the dataset to rebuild.
        listed
            Further subjects that need a public name, because a split file lists them.
        """
        originals = tuple(recordings)
        mine = [one for one in known if one["corpus"] == corpus.name]
        self._recognise(corpus, originals, mine)
        odd = [(kind, name) for one in originals for kind, name in self._odd(corpus, one).items()]
        odd += [("subject", name) for name in listed if not is_id(corpus, name)]
        taken = {name.lower() for one in originals for name in _names(one).values()}
        taken |= {
            name.lower() for one in mine for name in (one["subject"], one["recording"], one["kin"])
        }
        for kind, name in sorted(set(odd)):
            self._number(corpus, kind, name, taken)
        return tuple(self._public(corpus, one) for one in originals)

    def subjects(self, names: Iterable[str]) -> list[str]:
        """Return subjects under their public names; unknown ones that are no ids are left out."""
        public = [self._table(corpus, "subject") for corpus in sorted(self.numbers)]
        given = [
            [table[name] for table in public if name in table]
            or ([name] if is_id(None, name) else [])
            for name in names
        ]
        return list(dict.fromkeys(name for some in given for name in some))

    def split(
        self, published: Mapping[tuple[str, str], SplitName]
    ) -> dict[tuple[str, str], SplitName]:
        """Return a published split with public names; unknown ones that are no ids are left out."""
        public: dict[tuple[str, str], SplitName] = {}
        for (corpus, subject), split in published.items():
            corpora = [corpus] if corpus else sorted(self.numbers)
            for name in corpora:
                if subject in (table := self._table(name, "subject")):
                    public[name, table[subject]] = split
            if any(is_id(known, subject) for known in _candidates(corpus)):
                public[corpus, subject] = split
        return public

    def originals(
        self, published: Mapping[tuple[str, str], SplitName], where: str
    ) -> dict[tuple[str, str], SplitName]:
        """Return the split of a dataset with these names by original names: numbers are its own.

        Raises
        ------
        BuildError
            If it has numbers whose names are not recorded here.
        """
        names = {
            (c, n): name for c in self.numbers for name, n in self._table(c, "subject").items()
        }
        for corpus, subject in published:
            if (corpus, subject) not in names and _is_number("subject", subject):
                raise BuildError(
                    f"{where}: the name of its subject {subject} is in {FILE} of the machine that built "
                    "it; build there, or give a CSV file of names"
                )
        return {(c, names.get((c, who), who)): split for (c, who), split in published.items()}

    def _table(self, corpus: str, kind: Kind) -> dict[str, str]:
        return self.numbers.get(corpus, {}).get(kind, {})

    def _odd(self, corpus: Corpus, one: Recording) -> dict[Kind, str]:
        """Return the names of a recording that need a number, or have the number of another."""
        odd = odd_names(corpus, one.subject, one.recording, one.kin)
        clashes = {
            kind: name
            for kind, name in _names(one).items()
            if name in self._table(corpus.name, kind).values()
        }
        return {**clashes, **odd}

    def _recognise(
        self, corpus: Corpus, originals: Sequence[Recording], mine: Sequence[KnownName]
    ) -> None:
        """Give recordings without a number that of the known recording with the same signal."""
        given = set(self._table(corpus.name, "recording").values())
        lost = {
            one["signal"]: one
            for one in mine
            if _is_number("recording", one["recording"]) and one["recording"] not in given
        }
        for one in originals if lost else ():
            odd = self._odd(corpus, one)
            if "recording" not in odd or one.recording in self._table(corpus.name, "recording"):
                continue
            if (match := lost.get(_signal(one))) is not None:
                public = {"subject": match["subject"], "recording": match["recording"]}
                for kind, name in odd.items():
                    table = self.numbers.setdefault(corpus.name, {}).setdefault(kind, {})
                    table.setdefault(name, public.get(kind, match["kin"]))

    def _number(self, corpus: Corpus, kind: Kind, name: str, taken: set[str]) -> None:
        """Give a name the next number, unless it has one."""
        table = self.numbers.setdefault(corpus.name, {}).setdefault(kind, {})
        if name not in table:
            numbers = (f"{BEGINNINGS[kind]}{n:04d}" for n in count(len(table) + 1))
            table[name] = next(n for n in numbers if n not in taken and n not in table.values())

    def _public(self, corpus: Corpus, one: Recording) -> Recording:
        """Return a recording under its public names, with the original for the corpus's reader."""
        by_kind = {
            kind: self._table(corpus.name, kind).get(name, name)
            for kind, name in _names(one).items()
        }
        if by_kind == _names(one):
            return one
        return replace(
            one,
            subject=by_kind["subject"],
            recording=by_kind["recording"],
            kin=by_kind.get("family", ""),
            original=one,
        )


def _is_number(kind: Kind, name: object) -> bool:
    return bool(re.fullmatch(rf"{BEGINNINGS[kind]}\d{{4,}}", str(name)))


def _names(one: Recording) -> dict[Kind, str]:
    """Return the names of a recording by kind."""
    names: dict[Kind, str] = {"subject": one.subject, "recording": one.recording}
    return {**names, "family": one.kin} if one.kin else names


def _candidates(corpus: str) -> Iterator[Corpus | None]:
    """Yield the corpora that a subject in a split file may belong to."""
    yield from (registry.CORPORA.get(corpus),) if corpus else (None, *registry.CORPORA.values())


def _signal(one: Recording) -> str:
    """Return the hash of a recording's signal; empty if it can't be read, which the build reports."""
    try:
        return fingerprint.identify(one).signal
    except RecordingError:
        return ""
