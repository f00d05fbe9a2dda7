"""Store: who exists on the test Hub, what they own, and what a token lets them do."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub_repo import HubError, Repo

KINDS = {"model": "models", "dataset": "datasets", "space": "spaces"}
FULL = (
    "Private repository storage limit reached, please upgrade your plan to increase your private"
    " storage limit."
)


@dataclass(frozen=True)
class Token:
    """An access token. A `fineGrained` one may do what `scoped` grants, by entity, and no more."""

    user: str
    role: str
    scoped: Mapping[str, Iterable[str]] = field(default_factory=dict)
    gated: bool = False

    def has(self, permission: str, repo_name: str) -> bool:
        """Whether the token itself allows it; its user must be allowed, too."""
        if self.role == "fineGrained":
            names = (repo_name, repo_name.partition("/")[0])
            return any(permission in self.scoped.get(name, ()) for name in names)
        return self.role == "write" or permission == "repo.content.read"


class Store:
    """All users, organizations, tokens and repositories. Callers hold `lock` while they use it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users: set[str] = set()
        self.orgs: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, Token] = {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.quota_bytes: int | None = None
        self.xorbs: dict[str, list[bytes]] = {}
        self.xet_files: dict[str, bytes] = {}

    def whoami(self, token: Token | None) -> dict[str, Any]:
        if token is None:
            raise HubError(401, "Invalid username or password.")
        access: dict[str, Any] = {"displayName": "test", "role": token.role}
        if token.role == "fineGrained":
            access["fineGrained"] = {
                "canReadGatedRepos": token.gated,
                "global": [],
                "scoped": [
                    {"entity": self._entity(name), "permissions": list(permissions)}
                    for name, permissions in token.scoped.items()
                ],
            }
        return {
            "type": "user",
            "id": token.user,
            "name": token.user,
            "fullname": token.user.title(),
            "isPro": False,
            "orgs": [
                {"type": "org", "id": org, "name": org, "fullname": org, "roleInOrg": roles[user]}
                for org, roles in sorted(self.orgs.items())
                for user in roles
                if user == token.user
            ],
            "auth": {"type": "access_token", "accessToken": access},
        }

    def _entity(self, name: str) -> dict[str, str]:
        kind = next((kind for kind, repo in self.repos if repo == name), "org")
        return {
            "_id": name,
            "name": name,
            "type": "user" if name in self.users else kind.rstrip("s"),
        }

    def create(
        self, token: Token | None, kind: str, namespace: str | None, name: str, private: bool
    ) -> Repo:
        if token is None:
            raise HubError(401, "Invalid username or password.")
        full = f"{namespace or token.user}/{name}"
        if not re.fullmatch(r"[\w.-]{1,96}", name) or name.endswith(".git"):
            raise HubError(400, f"Invalid repo name: {full}")
        if not self._may(token, "repo.write", full):
            raise HubError(
                403, f"You don't have the rights to create a {kind[:-1]} under this namespace"
            )
        if (kind, full) in self.repos:
            raise HubError(409, f"You already created this {kind[:-1]} repo: {full}")
        repo = self.repos[kind, full] = Repo(kind, full, token.user, private=private)
        return repo

    def repo(
        self,
        token: Token | None,
        kind: str,
        name: str,
        *,
        write: bool = False,
        content: bool = False,
    ) -> Repo:
        """A repository that the token may see (and write, or read the content of), or the refusal."""
        repo = self.repos.get((kind, name))
        if repo is None or (repo.private and not self._may(token, "repo.content.read", name)):
            if token is None:
                raise HubError(401, "Invalid username or password.", "RepoNotFound")
            raise HubError(404, "Repository not found", "RepoNotFound")
        if write and not self._may(token, "repo.write", name):
            if token is None:
                raise HubError(401, "Invalid username or password.", "RepoNotFound")
            raise HubError(403, "Forbidden: you don't have write access to this repository")
        if content and repo.gated:
            self._pass_gate(token, repo)
        return repo

    def _pass_gate(self, token: Token | None, repo: Repo) -> None:
        what = f"Access to {repo.kind[:-1]} {repo.name} is restricted"
        if token is None:
            raise HubError(401, f"{what}. You must be authenticated to access it.", "GatedRepo")
        if self._may(token, "repo.content.read", repo.name):
            return
        if token.role == "fineGrained" and not token.gated:
            remedy = "Please enable access to public gated repositories in your token settings"
            raise HubError(403, f"{remedy} to view this repository.", "GatedRepo")
        if token.user not in repo.granted:
            raise HubError(403, f"{what} and you are not in the authorized list.", "GatedRepo")

    def _may(self, token: Token | None, permission: str, repo_name: str) -> bool:
        """Whether token and user together are allowed something inside a namespace."""
        namespace = repo_name.partition("/")[0]
        if token is None or not token.has(permission, repo_name):
            return False
        role = self.orgs.get(namespace, {}).get(token.user)
        if namespace != token.user and role is None:
            return False
        return role != "read" or permission == "repo.content.read"

    def used_bytes(self, namespace: str) -> int:
        """Bytes of large objects in the private repositories of a namespace."""
        mine = [repo for repo in self.repos.values() if repo.namespace == namespace]
        return sum(len(data) for repo in mine if repo.private for data in repo.objects.values())

    def check_quota(self, repo: Repo, more: int) -> None:
        """Refuse what would not fit any more; public repositories have no limit."""
        if not repo.private or self.quota_bytes is None:
            return
        if self.used_bytes(repo.namespace) + more > self.quota_bytes:
            raise HubError(403, FULL)

    def adopt_xet(self, repo: Repo, sha256: str) -> None:
        """Give a repository a file that came in through the content store."""
        if sha256 in self.xet_files and sha256 not in repo.objects:
            self.check_quota(repo, len(self.xet_files[sha256]))
            repo.objects[sha256] = self.xet_files[sha256]
