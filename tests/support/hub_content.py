"""Content: what lies in a repository of the test Hub, how it gets out, and how it gets in.

Formats are those that huggingface_hub 2.4 sends and reads. Left out: uploads in several parts,
pages of long listings, `.gitignore`, redirects to a storage host.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qs

import yaml
from hub_repo import Blob, Commit, HubError, Repo
from hub_store import Store
from hub_wire import REPO, REV, WEB, Call, Reply, Routes, author, repo_of

LICENSES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "gemma", "llama3"),
    *("cc", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
    *("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "odbl", "odc-by", "other", "unknown"),
}


def tree(hub: Store, call: Call) -> Reply:
    commit = repo_of(hub, call).at(call.at["rev"])
    recursive = call.query.get("recursive", ["false"])[0].lower() in {"true", "1"}
    return Reply(commit.tree(call.at["rest"].strip("/"), recursive))


def paths_info(hub: Store, call: Call) -> Reply:
    commit = repo_of(hub, call).at(call.at["rev"])
    asked = parse_qs(call.body.decode()).get("paths", [])
    paths = [path.strip("/") for path in asked]
    return Reply([commit.entry(p) for p in paths if p in commit.files or commit.folder(p)])


def resolve(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, content=True)
    commit = repo.at(call.at["rev"])
    path = call.at["rest"]
    if path not in commit.files:
        error = HubError(404, "Entry not found", "EntryNotFound")
        error.headers["X-Repo-Commit"] = commit.sha
        raise error
    return _send(commit, commit.files[path], call.headers.get("Range"))


def _send(commit: Commit, blob: Blob, asked: str | None) -> Reply:
    total = len(blob.data)
    etag = f'"{blob.sha256 if blob.large else blob.oid}"'
    headers = {
        "Content-Type": "application/octet-stream",
        "ETag": etag,
        "X-Repo-Commit": commit.sha,
        "Accept-Ranges": "bytes",
    }
    if blob.large:
        headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(total)}
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "")
    if match is None or match.groups() == ("", ""):
        return Reply(blob.data, 200, headers)
    first, last = match.groups()
    start = int(first) if first else max(total - int(last), 0)
    stop = min(int(last) + 1, total) if first and last else total
    if start >= stop:
        return Reply(b"", 416, {**headers, "Content-Range": f"bytes */{total}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
    return Reply(blob.data[start:stop], 206, headers)


def validate_yaml(_hub: Store, call: Call) -> Reply:
    errors, warnings = check_card(call.json()["content"])
    return Reply({"errors": errors, "warnings": warnings}, 400 if errors else 200)


def check_card(content: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """What the Hub holds against the head of a README: errors, and warnings."""
    head = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|$)", content, re.DOTALL)
    if head is None:
        return [], [{"message": "empty or missing yaml metadata in repo card"}]
    try:
        values = yaml.safe_load(head[1]) or {}
    except yaml.YAMLError as error:
        return [{"message": f"bad YAML: {' '.join(str(error).split())}"}], []
    licences = values.get("license", [])
    licences = [licences] if isinstance(licences, str) else licences
    unknown = [name for name in licences if name not in LICENSES]
    return [{"message": f'"license" must be one of the known ones, not {n}'} for n in unknown], []


def preupload(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    commit = repo.at(call.at["rev"])
    files = []
    for asked in call.json()["files"]:
        large = repo.is_large(asked["path"], asked["size"])
        file = {
            "path": asked["path"],
            "uploadMode": "lfs" if large else "regular",
            "shouldIgnore": False,
        }
        if asked["path"] in commit.files:
            blob = commit.files[asked["path"]]
            file["oid"] = blob.sha256 if blob.large else blob.oid
        files.append(file)
    return Reply({"files": files, "commitOid": commit.sha})


def lfs_batch(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    asked = {item["oid"]: item["size"] for item in call.json()["objects"]}
    missing = {oid: size for oid, size in asked.items() if oid not in repo.objects}
    hub.check_quota(repo, sum(missing.values()))
    objects: list[dict[str, Any]] = []
    for oid, size in asked.items():
        item: dict[str, Any] = {"oid": oid, "size": size}
        if oid in missing:
            sign = signature(repo, oid, size)
            put = f"{call.url}/lfs/{repo.kind}/{repo.name}/{oid}?size={size}&sign={sign}"
            verify = f"{call.url}/{call.at['prefix']}{repo.name}.git/info/lfs/objects/verify"
            item["actions"] = {"upload": {"href": put}, "verify": {"href": verify}}
        objects.append(item)
    return Reply({"transfer": "basic", "objects": objects})


def signature(repo: Repo, oid: str, size: int) -> str:
    """What allows a PUT without a token, as the signed addresses of the storage host do."""
    return hashlib.sha256(f"{repo.kind}/{repo.name}/{oid}/{size}".encode()).hexdigest()


def lfs_put(hub: Store, call: Call) -> Reply:
    repo = hub.repos.get((call.at["kind"], call.at["id"]))
    size, oid = int(call.query["size"][0]), call.at["oid"]
    if repo is None or call.query["sign"][0] != signature(repo, oid, size):
        raise HubError(403, "SignatureDoesNotMatch")
    if len(call.body) != size or hashlib.sha256(call.body).hexdigest() != oid:
        raise HubError(400, f"BadDigest: {len(call.body)} bytes are not the object {oid}")
    repo.objects[oid] = call.body
    return Reply(b"", headers={"ETag": f'"{oid}"'})


def lfs_verify(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    asked = call.json()
    if len(repo.objects.get(asked["oid"], b"")) != asked["size"]:
        raise HubError(404, f"Object {asked['oid']} does not exist or has another size")
    return Reply()


def commit(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    if "create_pr" in call.query:
        raise HubError(400, "Pull requests are not served here")
    steps: list[tuple[str, Any]] = []
    for line in call.body.splitlines():
        item = json.loads(line)
        key, value = item["key"], item["value"]
        if key == "file":
            value = {**value, "content": base64.b64decode(value["content"])}
            if value["path"] == "README.md":
                for error in check_card(value["content"].decode())[0]:
                    raise HubError(400, f"Invalid metadata in README.md: {error['message']}")
        if key == "lfsFile":
            hub.adopt_xet(repo, value["oid"])
        steps.append((key, value))
    if not steps or steps[0][0] != "header":
        raise HubError(400, "A commit starts with its header")
    made = repo.apply(call.at["rev"], author(call), steps[0][1], steps[1:])
    where = f"{call.url}/{'' if repo.kind == 'models' else repo.kind + '/'}{repo.name}"
    return Reply(
        {"success": True, "commitOid": made.sha, "commitUrl": f"{where}/commit/{made.sha}"}
    )


ROUTES: Routes = [
    ("POST", "/api/validate-yaml", validate_yaml),
    ("GET", f"{REPO}/tree{REV}(?P<rest>(/.*)?)", tree),
    ("POST", f"{REPO}/paths-info{REV}", paths_info),
    ("POST", f"{REPO}/preupload{REV}", preupload),
    ("POST", f"{REPO}/commit{REV}", commit),
    ("POST", rf"{WEB}\.git/info/lfs/objects/batch", lfs_batch),
    ("POST", rf"{WEB}\.git/info/lfs/objects/verify", lfs_verify),
    ("PUT", r"/lfs/(?P<kind>\w+)/(?P<id>[^/]+/[^/]+)/(?P<oid>[0-9a-f]{64})", lfs_put),
    ("GET", f"{WEB}/resolve{REV}/(?P<rest>.+)", resolve),
]
