"""The part of the Hugging Face Hub's HTTP interface that `huggingface_hub` needs for models."""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tests.servers.hub_repository import Commit, HubFile, Repository, RepositorySource
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response

Damage = bytes | Callable[[bytes], bytes]

_API = re.compile(
    r"/api/models/(?P<repo>[^/]+(?:/[^/]+)?)"
    r"(?:/(?P<verb>revision|tree|refs|auth-check)(?:/(?P<revision>[^/]+))?(?:/(?P<path>.+))?)?"
)
_RESOLVE = re.compile(r"/(?P<repo>[^/]+(?:/[^/]+)?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_CDN = re.compile(r"/cdn/(?P<repo>[^/]+(?:/[^/]+)?)/(?P<revision>[0-9a-f]{40})/(?P<path>.+)")


class _Refused(Exception):
    """The request ends with this response."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        named = {"X_Error_Message": message, **headers}
        if code:
            named["X_Error_Code"] = code
        self.response = Response.json({"error": message}, status, **named)


class HubServer(LoopbackServer):
    """A Hub whose repositories are folders, or mappings of paths to bytes or pretended sizes.

    `revisions` gives a repository further revisions: a branch, a tag or a commit's 40 digits, and
    its folder. `token` is the one valid token. Its owner may read the repositories in `granted`;
    the others in `gated` show their listing and refuse their files, those in `private` seem not
    to exist.
    """

    def __init__(
        self,
        repos: Mapping[str, RepositorySource],
        *,
        revisions: Mapping[str, Mapping[str, RepositorySource]] | None = None,
        token: str = "",
        gated: Collection[str] = (),
        private: Collection[str] = (),
        granted: Collection[str] = (),
        port: int = 0,
        tls: tuple[Path, Path] | None = None,
        cdn: str = "localhost",
    ) -> None:
        super().__init__(port=port, tls=tls)
        older = revisions or {}
        self._repos = {name: Repository(repos[name], older.get(name, {})) for name in repos}
        self._token, self._gated, self._private, self._granted = token, gated, private, granted
        self._damage: dict[str, Damage] = {}
        self._cuts: dict[str, list[int]] = {}
        # The Hub stores large files at another host: clients must not send their token there.
        self._cdn = self.url.replace("127.0.0.1", cdn)

    def commit(self, repo: str, revision: str = "main") -> str:
        """Return the commit that `revision` of `repo` stands for."""
        return self._repos[repo].at(revision).sha

    def corrupt(self, path: str, damage: Damage) -> None:
        """Serve other bytes for the file at `path`, under the listing of the right ones."""
        self._damage[path] = damage

    def cut(self, path: str, after: int, *, times: int = 1) -> None:
        """End the connection after `after` bytes, for the next `times` downloads of `path`."""
        self._cuts[path] = [after] * times

    def answer(self, request: Request) -> Response:
        try:
            return self._route(request)
        except _Refused as refused:
            return refused.response

    def _route(self, request: Request) -> Response:
        if request.path == "/api/whoami-v2":
            return self._whoami(request)
        if match := _API.fullmatch(request.path):
            return self._api(request, match)
        if match := _RESOLVE.fullmatch(request.path):
            return self._resolve(request, match)
        if match := _CDN.fullmatch(request.path):
            commit = self._repos[match["repo"]].at(match["revision"])
            return self._content(request, commit.files[match["path"]], {})
        raise _Refused(404, "", "Sorry, we can't find the page you are looking for.")

    def _whoami(self, request: Request) -> Response:
        if not request.token or not self._knows(request.token):
            raise _Refused(401, "", "Invalid username or password.")
        return Response.json({"type": "user", "id": "1", "name": "tester", "orgs": []})

    def _knows(self, token: str) -> bool:
        return not self._token or token == self._token

    def _repository(self, request: Request, name: str) -> Repository:
        if request.token and not self._knows(request.token):
            raise _Refused(401, "", "Invalid credentials in Authorization header")
        hidden = name in self._private and not self._may_read(request, name)
        if name not in self._repos or hidden:
            # As the Hub does: whoever did not say who they are learns nothing.
            raise _Refused(404 if request.token else 401, "RepoNotFound", "Repository not found")
        return self._repos[name]

    def _may_read(self, request: Request, name: str) -> bool:
        return bool(request.token) and name in self._granted

    def _refuse_gated(self, request: Request, name: str) -> None:
        if name not in self._gated or self._may_read(request, name):
            return
        if not request.token:
            why = f"Access to model {name} is restricted. You must be authenticated to access it."
            raise _Refused(401, "GatedRepo", why)
        why = f"Access to model {name} is restricted and you are not in the authorized list."
        raise _Refused(403, "GatedRepo", why)

    def _api(self, request: Request, match: re.Match[str]) -> Response:
        name, verb = match["repo"], match["verb"]
        repository = self._repository(request, name)
        if verb == "refs":
            return Response.json(repository.refs())
        if verb == "auth-check":
            self._refuse_gated(request, name)
            return Response.json({})
        commit = _at(repository, match["revision"] or "main")
        if verb == "tree":
            return Response.json(_tree(commit, match["path"] or "", _flag(request, "recursive")))
        return Response.json(self._info(name, commit, _flag(request, "blobs")))

    def _info(self, name: str, commit: Commit, blobs: bool) -> dict[str, Any]:
        return {
            "_id": hashlib.sha1(name.encode()).hexdigest()[:24],
            "id": name,
            "modelId": name,
            "author": name.partition("/")[0],
            "sha": commit.sha,
            "lastModified": "2025-01-01T00:00:00.000Z",
            "createdAt": "2025-01-01T00:00:00.000Z",
            "private": name in self._private,
            "gated": "manual" if name in self._gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "siblings": [_sibling(file, blobs) for file in commit.files.values()],
            "spaces": [],
            "usedStorage": sum(file.content.size for file in commit.files.values()),
            **_card(commit.card),
        }

    def _resolve(self, request: Request, match: re.Match[str]) -> Response:
        name, path = match["repo"], match["path"]
        repository = self._repository(request, name)
        self._refuse_gated(request, name)
        commit = _at(repository, match["revision"])
        if path not in commit.files:
            raise _Refused(404, "EntryNotFound", "Entry not found", X_Repo_Commit=commit.sha)
        file = commit.files[path]
        headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{file.etag}"'}
        if file.sha256 is None:
            return self._content(request, file, headers)
        headers["Location"] = f"{self._cdn}/cdn/{name}/{commit.sha}/{path}"
        headers["X-Linked-Size"] = str(file.content.size)
        headers["X-Linked-ETag"] = headers.pop("ETag")
        return Response(302, headers)

    def _content(self, request: Request, file: HubFile, headers: Mapping[str, str]) -> Response:
        content, damage = file.content, self._damage.get(file.path)
        if damage is not None:
            whole = b"".join(content.blocks(0, content.size)) if callable(damage) else b""
            content = Bytes(damage(whole) if callable(damage) else damage)
        cuts = self._cuts.get(file.path) if request.method == "GET" else None
        all_headers = {"Accept-Ranges": "bytes", "ETag": f'"{file.etag}"', **headers}
        response = Response(200, all_headers, content, cut_after=cuts.pop(0) if cuts else None)
        return response.ranged(request.headers.get("Range", ""))


def _at(repository: Repository, revision: str) -> Commit:
    try:
        return repository.at(revision)
    except KeyError:
        raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}") from None


def _flag(request: Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("true", "1")


def _sibling(file: HubFile, blobs: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"rfilename": file.path}
    if blobs:
        entry |= {"size": file.content.size, "blobId": file.blob_id}
        if file.sha256:
            entry["lfs"] = {"sha256": file.sha256, **_sizes(file)}
    return entry


def _sizes(file: HubFile) -> dict[str, int]:
    return {"size": file.content.size, "pointerSize": file.pointer_size}


def _tree(commit: Commit, folder: str, recursive: bool) -> list[dict[str, Any]]:
    prefix = f"{folder}/" if folder else ""
    below = [file for path, file in commit.files.items() if path.startswith(prefix)]
    folders = sorted({part for file in below for part in _folders(file.path, prefix)})
    if not recursive:
        below = [file for file in below if "/" not in file.path.removeprefix(prefix)]
        folders = [path for path in folders if "/" not in path.removeprefix(prefix)]
    return [_folder_entry(path) for path in folders] + [_file_entry(file) for file in below]


def _folders(path: str, prefix: str) -> list[str]:
    parts = path.removeprefix(prefix).split("/")[:-1]
    return [prefix + "/".join(parts[: count + 1]) for count in range(len(parts))]


def _folder_entry(path: str) -> dict[str, Any]:
    return {
        "type": "directory",
        "oid": hashlib.sha1(path.encode()).hexdigest(),
        "size": 0,
        "path": path,
    }


def _file_entry(file: HubFile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "oid": file.blob_id,
        "size": file.content.size,
        "path": file.path,
    }
    if file.sha256:
        entry["lfs"] = {"oid": file.sha256, **_sizes(file)}
    return entry


def _card(card: Mapping[str, Any]) -> dict[str, Any]:
    """What the Hub derives from the front matter of the README."""
    languages = card.get("language", [])
    languages = [languages] if isinstance(languages, str) else languages
    tags = [card[key] for key in ("library_name", "pipeline_tag") if key in card]
    tags += [*card.get("tags", []), *languages]
    tags += [f"license:{card['license']}"] if "license" in card else []
    named = {key: card[key] for key in ("library_name", "pipeline_tag") if key in card}
    return {**named, "tags": tags, **({"cardData": dict(card)} if card else {})}
