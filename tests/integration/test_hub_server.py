"""The Hub that tests talk to, spoken to by the real client library."""

import hashlib
import re
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests import canary
from tests.servers.asking import answered
from tests.servers.hub import HubServer

REPO = "org/tiny"
TOKEN = f"hf_{canary.MARK}"
CARD = b"---\nlicense: mit\nlanguage: [en]\npipeline_tag: text-generation\n---\n# Tiny\n"
WEIGHTS = bytes(range(256)) * 80_000  # 20 MB: more than a client reads at a time
FILES: Mapping[str, bytes] = {
    "README.md": CARD,
    "config.json": b"{}",
    "model.safetensors": WEIGHTS,
    "1_Pooling/config.json": b'{"pooling": true}',
}


@pytest.fixture(autouse=True)
def _no_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    folder, older = tmp_path / "repo", tmp_path / "older"
    for path, data in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    older.mkdir()
    (older / "config.json").write_bytes(b'{"older": true}')
    with HubServer({REPO: folder}, revisions={REPO: {"v1.0": older}}, token=TOKEN) as running:
        yield running


def git_blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def test_the_hub_lists_files_with_sizes_and_checksums(hub: HubServer) -> None:
    info = HfApi(hub.url, token=False).model_info(REPO, files_metadata=True)

    files = {file.rfilename: file for file in info.siblings or []}
    assert {path: file.size for path, file in files.items()} == {
        path: len(data) for path, data in FILES.items()
    }
    weights = files["model.safetensors"].lfs
    assert weights is not None
    assert weights.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert files["config.json"].lfs is None
    assert files["config.json"].blob_id == git_blob_id(b"{}")
    assert info.sha == hub.commit(REPO)
    assert info.card_data is not None
    assert info.card_data["license"] == "mit"
    assert (info.pipeline_tag, info.tags) == (
        "text-generation",
        ["text-generation", "en", "license:mit"],
    )


def test_the_commit_follows_from_the_files_alone(hub: HubServer) -> None:
    with HubServer({REPO: FILES}) as other:
        assert other.commit(REPO) == hub.commit(REPO)
        assert other.commit(REPO) != hub.commit(REPO, "v1.0")


def test_tree_and_refs_are_served(hub: HubServer) -> None:
    api = HfApi(hub.url, token=False)

    tree = [entry.path for entry in api.list_repo_tree(REPO, recursive=True)]
    refs = api.list_repo_refs(REPO)

    assert sorted(tree) == sorted([*FILES, "1_Pooling"])
    assert [branch.target_commit for branch in refs.branches] == [hub.commit(REPO)]
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [
        ("v1.0", hub.commit(REPO, "v1.0"))
    ]


def test_a_snapshot_is_downloaded_and_the_token_stays_with_the_hub(
    hub: HubServer, tmp_path: Path
) -> None:
    place = Path(
        snapshot_download(
            REPO, endpoint=hub.url, token=TOKEN, local_dir=tmp_path / "out", max_workers=2
        )
    )

    assert {path: (place / path).read_bytes() for path in FILES} == FILES
    stored_elsewhere = [seen for seen in hub.requests if seen.target.startswith("/cdn/")]
    assert {seen.host.partition(":")[0] for seen in stored_elsewhere} == {"localhost"}
    assert not any(seen.authorized for seen in stored_elsewhere)
    assert all(seen.authorized for seen in hub.requests if seen not in stored_elsewhere)


def test_another_revision_has_its_own_files(hub: HubServer, tmp_path: Path) -> None:
    for revision in ("v1.0", hub.commit(REPO, "v1.0")):
        path = hf_hub_download(
            REPO, "config.json", revision=revision, endpoint=hub.url, cache_dir=tmp_path / "cache"
        )
        assert Path(path).read_bytes() == b'{"older": true}'


def test_a_download_that_is_cut_goes_on_by_range(hub: HubServer, tmp_path: Path) -> None:
    hub.cut("model.safetensors", after=12_000_000)

    path = hf_hub_download(REPO, "model.safetensors", endpoint=hub.url, local_dir=tmp_path / "out")

    assert Path(path).read_bytes() == WEIGHTS
    ranges = [s.range for s in hub.requests if s.method == "GET" and s.target.startswith("/cdn/")]
    assert len(ranges) == 2
    assert re.fullmatch(r"bytes=[1-9]\d{6,}-", ranges[1])


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 416, b""),
    ],
)
def test_ranges_are_served(asked: str, status: int, body: bytes) -> None:
    with HubServer({REPO: {"ten.txt": b"0123456789"}}) as hub:
        request = urllib.request.Request(f"{hub.url}/{REPO}/resolve/main/ten.txt")
        request.add_header("Range", asked)
        got = answered(request)
        assert (got.status, got.body) == (status, body)


def test_corrupted_and_failing_files_are_served_as_such(hub: HubServer) -> None:
    hub.corrupt("config.json", lambda data: data[::-1])
    hub.fail("/config.json", 503, times=1)
    url = urllib.request.Request(f"{hub.url}/{REPO}/resolve/main/config.json")

    assert answered(url).status == 503
    assert answered(url).body == b"}{"


def test_a_recorded_listing_needs_no_files() -> None:
    listing: dict[str, int | bytes] = {
        "model-00001-of-00002.safetensors": 4_700_000_000,
        "config.json": b"{}",
    }
    with HubServer({REPO: listing}) as hub:
        info = HfApi(hub.url, token=False).model_info(REPO, files_metadata=True)

    assert {file.rfilename: file.size for file in info.siblings or []} == {
        "model-00001-of-00002.safetensors": 4_700_000_000,
        "config.json": 2,
    }


def test_what_the_hub_refuses_the_client_tells_apart(hub: HubServer) -> None:
    api = HfApi(hub.url, token=False)

    with pytest.raises(RepositoryNotFoundError):
        api.model_info("org/none")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(REPO, revision="nowhere")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(REPO, "none.json", endpoint=hub.url, token=False)
    with pytest.raises(HfHubHTTPError, match="401") as caught:
        api.model_info(REPO, token=canary.secret("stale"))
    assert not isinstance(caught.value, RepositoryNotFoundError)


@pytest.mark.parametrize(("token", "status"), [(False, 401), (TOKEN, 403)])
def test_a_gated_repository_lists_but_does_not_serve(token: Any, status: int) -> None:
    with HubServer({REPO: FILES}, gated={REPO}, token=TOKEN) as hub:
        assert HfApi(hub.url, token=token).model_info(REPO).gated == "manual"
        with pytest.raises(GatedRepoError) as caught:
            HfApi(hub.url, token=token).auth_check(REPO)
    assert caught.value.response.status_code == status


def test_access_that_was_granted_opens_gated_and_private_repositories() -> None:
    repos = {"org/gated": FILES, "org/private": FILES}
    options: dict[str, Any] = {"gated": {"org/gated"}, "private": {"org/private"}, "granted": repos}
    with HubServer(repos, token=TOKEN, **options) as hub:
        api = HfApi(hub.url, token=TOKEN)
        api.auth_check("org/gated")
        assert api.model_info("org/private").private
        with pytest.raises(RepositoryNotFoundError):
            api.model_info("org/private", token=False)
