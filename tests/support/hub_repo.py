"""Repo: the files, commits, branches and tags of one repository of the test Hub.

A commit is a whole mapping from path to blob, so that an old revision stays readable for ever. Its
id is a hash of what it holds and of its parent: the same pushes give the same ids.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from typing import Any

LARGE_BYTES = 10_000_000

# What the Hub puts into a new repository, cut to the endings that a test could meet.
_LARGE = "7z arrow avro bin bz2 gz h5 jpeg jpg lz4 mp4 npy npz parquet pkl png pt rar safetensors tar tgz wav webp zip zst"
ATTRIBUTES = "".join(f"*.{end} filter=lfs diff=lfs merge=lfs -text\n" for end in _LARGE.split())


class HubError(Exception):
    """A refusal, as the Hub words it: HTTP status, its error code if it has one, a message."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers: dict[str, str] = {}


@dataclass(frozen=True)
class Blob:
    """A file's bytes; a large one is known to git by its pointer alone."""

    data: bytes
    large: bool

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def pointer(self) -> bytes:
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\n"
            f"size {len(self.data)}\n"
        ).encode()

    @cached_property
    def oid(self) -> str:
        held = self.pointer if self.large else self.data
        return hashlib.sha1(b"blob %d\0" % len(held) + held).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "oid": self.oid, "size": len(self.data)}
        if self.large:
            entry["lfs"] = {
                "oid": self.sha256,
                "size": len(self.data),
                "pointerSize": len(self.pointer),
            }
        return {**entry, "path": path}


@dataclass(frozen=True)
class Commit:
    """A state of all files. `number` counts the commits of the repository and stands for time."""

    parent: str
    number: int
    author: str
    title: str
    message: str
    files: dict[str, Blob]

    @cached_property
    def sha(self) -> str:
        held = [self.parent, str(self.number), self.author, self.title, self.message]
        held += [f"{path} {blob.oid}" for path, blob in sorted(self.files.items())]
        return hashlib.sha1("\0".join(held).encode()).hexdigest()

    @property
    def date(self) -> str:
        minutes = self.number % 1440
        return (
            f"2026-01-{1 + self.number // 1440:02d}T{minutes // 60:02d}:{minutes % 60:02d}:00.000Z"
        )

    def folder(self, path: str) -> list[str]:
        """The files below a folder; all of them below the root."""
        prefix = f"{path}/" if path else ""
        return sorted(name for name in self.files if name.startswith(prefix))

    def tree(self, path: str, recursive: bool) -> list[dict[str, Any]]:
        """The entries of a folder, folders first, as the Hub lists them."""
        below = self.folder(path)
        if not below:
            raise HubError(404, f"{path} does not exist on this revision", "EntryNotFound")
        start = len(path) + 1 if path else 0
        folders: set[str] = set()
        files: list[dict[str, Any]] = []
        for name in below:
            cuts = [at for at, sign in enumerate(name) if sign == "/" and at >= start]
            folders.update(name[:cut] for cut in (cuts if recursive else cuts[:1]))
            if recursive or not cuts:
                files.append(self.files[name].entry(name))
        return [self.entry(name) for name in sorted(folders)] + files

    def entry(self, path: str) -> dict[str, Any]:
        """What the Hub says of one path; the caller knows that it exists."""
        if path in self.files:
            return self.files[path].entry(path)
        held = "".join(f"{name} {self.files[name].oid}" for name in self.folder(path))
        oid = hashlib.sha1(held.encode()).hexdigest()
        return {"type": "directory", "oid": oid, "size": 0, "path": path}


@dataclass
class Repo:
    """A repository: settings, history, and the large objects that were handed in for it."""

    kind: str
    name: str
    owner: str
    private: bool = False
    gated: str | bool = False
    granted: set[str] = field(default_factory=set)
    objects: dict[str, bytes] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start = {".gitattributes": Blob(ATTRIBUTES.encode(), large=False)}
        self._add("main", Commit("", 0, self.owner, "initial commit", "", start))

    @property
    def namespace(self) -> str:
        return self.name.partition("/")[0]

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag, or an id of at least seven digits names."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        sha = self.branches.get(name) or self.tags.get(name)
        if sha is None and len(revision) >= 7:
            sha = next((sha for sha in self.commits if sha.startswith(revision)), None)
        if sha is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[sha]

    def history(self, revision: str) -> list[Commit]:
        """All commits up to a revision, newest first."""
        found = [self.at(revision)]
        while found[-1].parent:
            found.append(self.commits[found[-1].parent])
        return found

    def is_large(self, path: str, size: int) -> bool:
        """Whether a file goes to large-file storage: by its name, or by its size."""
        attributes = self.head.files.get(".gitattributes", Blob(b"", large=False))
        rules = [line.split() for line in attributes.data.decode().splitlines()]
        named = any(
            "filter=lfs" in rule
            and (fnmatch(path, rule[0]) or fnmatch(path.rpartition("/")[2], rule[0]))
            for rule in rules
        )
        return size > 0 and (named or size > LARGE_BYTES)

    def apply(
        self, branch: str, author: str, header: dict[str, Any], steps: list[tuple[str, Any]]
    ) -> Commit:
        """Make one commit of all steps, or none: `(key, value)` pairs as in the Hub's ndjson."""
        if branch not in self.branches:
            raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        last = self.commits[self.branches[branch]]
        wanted = header.get("parentCommit")
        if wanted and not last.sha.startswith(wanted):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        files = dict(last.files)
        for key, value in steps:
            self._step(files, key, value)
        title, message = header["summary"], header.get("description", "")
        commit = Commit(last.sha, len(self.commits), author, title, message, files)
        self._add(branch, commit)
        return commit

    def _step(self, files: dict[str, Blob], key: str, value: Any) -> None:
        path = value["path"]
        if key == "file":
            if len(value["content"]) > LARGE_BYTES:
                raise HubError(400, f"Your push was rejected: {path} is larger than 10 MB")
            files[path] = Blob(value["content"], large=False)
        elif key == "lfsFile":
            if value["oid"] not in self.objects:
                raise HubError(
                    400,
                    "Your push was rejected because an LFS pointer pointed to a file that does"
                    f" not exist. Offending file: - {path}",
                )
            files[path] = Blob(self.objects[value["oid"]], large=True)
            self._note_large(files, path)
        elif key in {"deletedFile", "deletedFolder"}:
            gone = [path] if key == "deletedFile" else [*files]
            gone = [
                name for name in gone if name == path or name.startswith(f"{path.rstrip('/')}/")
            ]
            if not gone or gone[0] not in files:
                raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
            for name in gone:
                del files[name]
        else:
            raise HubError(400, f"Unknown key {key!r} in a commit")

    def _note_large(self, files: dict[str, Blob], path: str) -> None:
        """A file that is large by its size alone gets its line in `.gitattributes`, as on the Hub."""
        if not self.is_large(path, 1):
            old = files[".gitattributes"].data if ".gitattributes" in files else b""
            line = f"{path} filter=lfs diff=lfs merge=lfs -text\n".encode()
            if line not in old:
                files[".gitattributes"] = Blob(old + line, large=False)

    def _add(self, branch: str, commit: Commit) -> None:
        self.commits[commit.sha] = commit
        self.branches[branch] = commit.sha
