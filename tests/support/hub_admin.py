"""Administration: who am I, repositories and their settings, branches, tags, history.

Formats are those that huggingface_hub 2.4 sends and reads. Left out: pull requests and moving.
"""

from __future__ import annotations

import re
from typing import Any

from hub_repo import HubError
from hub_store import KINDS, Store
from hub_wire import REPO, REV, Call, Reply, Routes, author, refusal, repo_of


def whoami(hub: Store, call: Call) -> Reply:
    return Reply(hub.whoami(call.token))


def create(hub: Store, call: Call) -> Reply:
    asked = call.json()
    kind = KINDS[asked.get("type") or "model"]
    private = asked.get("visibility") == "private" or bool(asked.get("private"))
    name = f"{asked.get('organization') or author(call)}/{asked['name']}"
    where = {"name": name, "url": f"{call.url}/{'' if kind == 'models' else kind + '/'}{name}"}
    try:
        hub.create(call.token, kind, asked.get("organization"), asked["name"], private)
    except HubError as error:
        reply = refusal(error)
        if error.status == 409:
            reply.data |= where
        return reply
    return Reply(where)


def delete(hub: Store, call: Call) -> Reply:
    asked = call.json()
    kind = KINDS[asked.get("type") or "model"]
    name = f"{asked.get('organization') or author(call)}/{asked['name']}"
    hub.repo(call.token, kind, name, write=True)
    del hub.repos[kind, name]
    return Reply()


def settings(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    asked = call.json()
    if asked.get("gated", False) not in ("auto", "manual", False):
        raise HubError(400, '"gated" must be one of [auto, manual, false]')
    repo.gated = asked.get("gated", repo.gated)
    if "visibility" in asked:
        asked["private"] = asked["visibility"] == "private"
    repo.private = asked.get("private", repo.private)
    return Reply({"private": repo.private, "gated": repo.gated})


def info(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call)
    commit = repo.at(call.at.get("rev", "main"))
    siblings: list[dict[str, Any]] = []
    for path, blob in sorted(commit.files.items()):
        sibling: dict[str, Any] = {"rfilename": path}
        if "blobs" in call.query:
            sibling |= {"size": len(blob.data), "blobId": blob.oid}
            if blob.large:
                pointer = {"pointerSize": len(blob.pointer)}
                sibling["lfs"] = {"sha256": blob.sha256, "size": len(blob.data), **pointer}
        siblings.append(sibling)
    return Reply(
        {
            "_id": repo.name,
            "id": repo.name,
            "author": repo.namespace,
            "sha": commit.sha,
            "createdAt": repo.history("main")[-1].date,
            "lastModified": commit.date,
            "private": repo.private,
            "gated": repo.gated,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": siblings,
        }
    )


def auth_check(hub: Store, call: Call) -> Reply:
    repo_of(hub, call, content=True, write=call.at["rest"] != "")
    return Reply()


def refs(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call)

    def listed(folder: str, names: dict[str, str]) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": sha}
            for name, sha in sorted(names.items())
        ]

    found = {"branches": listed("heads", repo.branches), "tags": listed("tags", repo.tags)}
    return Reply({**found, "converts": [], "pullRequests": []})


def _new_ref(names: dict[str, str], name: str, sha: str) -> Reply:
    if not re.fullmatch(r"[\w.+-][\w.+/-]*", name) or name.startswith("refs/"):
        raise HubError(400, f"Invalid reference name: {name}")
    if name in names:
        raise HubError(409, f"Reference already exists: {name}")
    names[name] = sha
    return Reply()


def _drop_ref(names: dict[str, str], name: str) -> Reply:
    if name not in names:
        raise HubError(404, f"Invalid rev id: {name}", "RevisionNotFound")
    del names[name]
    return Reply()


def new_branch(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    start = repo.at(call.json().get("startingPoint", "main"))
    return _new_ref(repo.branches, call.at["rev"], start.sha)


def drop_branch(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    if call.at["rev"] == "main":
        raise HubError(403, "Cannot delete the main branch")
    return _drop_ref(repo.branches, call.at["rev"])


def new_tag(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    return _new_ref(repo.tags, call.json()["tag"], repo.at(call.at["rev"]).sha)


def drop_tag(hub: Store, call: Call) -> Reply:
    return _drop_ref(repo_of(hub, call, write=True).tags, call.at["rev"])


def commits(hub: Store, call: Call) -> Reply:
    return Reply(
        [
            {
                "id": commit.sha,
                "title": commit.title,
                "message": commit.message,
                "authors": [{"user": commit.author}],
                "date": commit.date,
            }
            for commit in repo_of(hub, call).history(call.at["rev"])
        ]
    )


ROUTES: Routes = [
    ("GET", "/api/whoami-v2", whoami),
    ("POST", "/api/repos/create", create),
    ("DELETE", "/api/repos/delete", delete),
    ("GET", REPO, info),
    ("GET", f"{REPO}/revision{REV}", info),
    ("PUT", f"{REPO}/settings", settings),
    ("GET", f"{REPO}/auth-check(?P<rest>(/write)?)", auth_check),
    ("GET", f"{REPO}/refs", refs),
    ("POST", f"{REPO}/branch{REV}", new_branch),
    ("DELETE", f"{REPO}/branch{REV}", drop_branch),
    ("POST", f"{REPO}/tag{REV}", new_tag),
    ("DELETE", f"{REPO}/tag{REV}", drop_tag),
    ("GET", f"{REPO}/commits{REV}", commits),
]
