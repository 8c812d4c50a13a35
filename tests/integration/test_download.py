"""`modelcar download`: only the chosen files, at the pinned commit, and never a wrong byte."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from modelcar import plan
from modelcar.download import download
from modelcar.errors import SourceError
from modelcar.hub import Hub
from modelcar.values import Model, ModelSource
from modelcar.workfolder import WorkFolder
from tests.byte_path import REPO, below, chosen, modelcar, refused, safetensors, tiny, told, write
from tests.servers.hub import HubServer
from tests.servers.ports import kept_ports

FILES = tiny()
URI = f"hf://{REPO}"
WEIGHTS = "model.safetensors"
TOKEN = "hf_C4naryBird-right"
WRONG = "hf_C4naryBird-wrong"
AT_ONCE = {"Retry-After": "0"}
FOLDER = Path("work", "example--tiny")


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a download, without what the client library keeps beside them."""
    return {p: data for p, data in below(folder / FOLDER).items() if not p.startswith(".cache/")}


def fetched(hub: HubServer) -> set[str]:
    """Return the paths of which the Hub sent bytes for a file."""
    sent = (seen.target for seen in hub.requests if seen.sent and seen.status in (200, 206))
    found = (re.fullmatch(r"/.+/[0-9a-f]{40}/(.+)", target) for target in sent)
    return {match[1] for match in found if match}


def test_only_the_chosen_files_are_fetched(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        snapshot = told(modelcar(tmp_path, "download", URI, "--json", HF_ENDPOINT=hub.url))
        commit = hub.commit(REPO)
    assert fetched(hub) == set(chosen(FILES))
    assert content(tmp_path) == chosen(FILES)
    assert snapshot["commit"] == commit
    assert snapshot["folder"] == str(tmp_path / FOLDER)
    assert snapshot["downloaded"] == sum(map(len, chosen(FILES).values()))
    assert {file["path"] for file in snapshot["files"]} == set(chosen(FILES))
    assert all(file["sha256"].startswith("sha256:") for file in snapshot["files"])


def test_the_plans_commit_is_fetched_though_main_moved(tmp_path: Path) -> None:
    model = Model("tiny", "1", ModelSource.parse(URI))
    work = WorkFolder(tmp_path / "work")
    with HubServer({REPO: FILES}) as before:
        made = plan.make(model, work, Hub(before.url))
    newer = tiny(weights=safetensors(6000, 9), readme=b"# newer\n")
    with HubServer({REPO: newer}, revisions={REPO: {"v1": FILES}}) as after:
        assert after.commit(REPO) != made.commit
        snapshot = download(made, made.files, work, Hub(after.url))

    assert snapshot.commit == made.commit
    assert content(tmp_path) == chosen(FILES)


def test_a_damaged_file_is_fetched_again_and_no_other(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        assert modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url).returncode == 0
        (tmp_path / FOLDER / WEIGHTS).write_bytes(safetensors(6000, 7))
        (tmp_path / FOLDER / "tokenizer.json").unlink()
        hub.requests.clear()
        done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)

    assert done.returncode == 0
    assert f"{WEIGHTS} of {URI}: its sha256 is" in done.stderr
    assert "fetching it again" in done.stderr
    assert content(tmp_path) == chosen(FILES)
    # The config and the card are read when files are chosen, whatever lies in the folder.
    assert fetched(hub) == {WEIGHTS, "tokenizer.json", "config.json", "README.md"}


@pytest.mark.parametrize(
    ("path", "damage", "parts"),
    [
        (WEIGHTS, lambda right: right[:-1] + b"\x01", (f"{WEIGHTS} of {URI}: its sha256 is",)),
        (WEIGHTS, lambda right: right[:-1], ("the Hub sends 5999 bytes, listed are 6000",)),
        ("README.md", lambda right: right[:-1] + b"!", (f"README.md of {URI}: its git blob",)),
    ],
)
def test_a_file_that_is_not_the_listed_one_is_never_success(
    tmp_path: Path, path: str, damage: Callable[[bytes], bytes], parts: tuple[str, ...]
) -> None:
    with HubServer({REPO: FILES}) as hub:
        hub.corrupt(path, damage)
        for _ in range(2):  # what the first run left must not help the second
            done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)
            refused(done, *parts, "download again")


def test_a_listed_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        hub.fail(WEIGHTS, 404, times=9, headers={"X-Error-Code": "EntryNotFound"})
        done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)
    refused(done, "a listed file is missing", "plan again: the repository changed")


Start = Callable[[], HubServer]
REFUSALS: list[tuple[str, Start, Mapping[str, str], str, tuple[str, ...]]] = [
    (
        "gated, no token",
        lambda: HubServer({REPO: FILES}, gated={REPO}, token=TOKEN),
        {},
        URI,
        (
            "the repository is gated",
            "accept its terms at http",
            "set HF_TOKEN (in a pipeline the secret huggingface-token) to a token of that",
        ),
    ),
    (
        "gated, not granted",
        lambda: HubServer({REPO: FILES}, gated={REPO}, token=TOKEN),
        {"HF_TOKEN": TOKEN},
        URI,
        ("the repository is gated and this token has no access", "accept its terms at http"),
    ),
    (
        "private",
        lambda: HubServer({REPO: FILES}, private={REPO}, token=TOKEN),
        {"HF_TOKEN": TOKEN},
        URI,
        ("there is no such repository, or it is private", "check the name", "HF_TOKEN"),
    ),
    (
        "missing repository",
        lambda: HubServer({REPO: FILES}),
        {},
        "hf://example/other",
        ("hf://example/other@main", "there is no such repository", "check the name"),
    ),
    (
        "wrong revision",
        lambda: HubServer({REPO: FILES}),
        {},
        f"{URI}@v9",
        ("it has no revision 'v9'", "name a branch, tag or commit that http"),
    ),
    (
        "wrong token",
        lambda: HubServer({REPO: FILES}, token=TOKEN),
        {"HF_TOKEN": WRONG},
        URI,
        ("the Hub refused the token", "huggingface-token) to a valid token, or unset it"),
    ),
]


@pytest.mark.parametrize(
    ("start", "environment", "model", "parts"),
    [pytest.param(*case, id=name) for name, *case in REFUSALS],
)
def test_each_refusal_has_its_remedy_and_shows_no_token(
    tmp_path: Path,
    start: Start,
    environment: Mapping[str, str],
    model: str,
    parts: tuple[str, ...],
) -> None:
    with start() as hub:
        done = modelcar(tmp_path, "download", "-v", model, HF_ENDPOINT=hub.url, **environment)
    refused(done, *parts)
    assert TOKEN not in done.stderr
    assert WRONG not in done.stderr


def test_the_token_goes_to_the_hub_and_nowhere_else(tmp_path: Path) -> None:
    gated = {REPO}
    with HubServer({REPO: FILES}, gated=gated, granted=gated, token=TOKEN) as hub:
        done = modelcar(tmp_path, "download", "-v", URI, HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert not [path for path, data in below(tmp_path).items() if TOKEN.encode() in data]
    elsewhere = [seen for seen in hub.requests if seen.host.startswith("localhost")]
    assert elsewhere
    assert not any(seen.authorized for seen in elsewhere)
    assert all(seen.authorized for seen in hub.requests if seen not in elsewhere)


def test_faults_that_pass_are_outlived(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        hub.fail("/main", 500, headers=AT_ONCE)
        hub.fail("config.json", 503, times=2, headers=AT_ONCE)
        hub.fail(WEIGHTS, 502, times=2, headers=AT_ONCE)
        hub.fail("README.md", 429, headers=AT_ONCE)
        done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == chosen(FILES)


@pytest.mark.parametrize(
    ("ending", "status", "remedy"),
    [
        ("/main", 500, "try again later"),
        (WEIGHTS, 503, "try again later"),
        ("/main", 429, "HF_TOKEN raises the rate limit"),
    ],
)
def test_faults_that_stay_end_after_five_tries(
    tmp_path: Path, ending: str, status: int, remedy: str
) -> None:
    with HubServer({REPO: FILES}) as hub:
        hub.fail(ending, status, times=99, headers=AT_ONCE)
        done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)
        refused(done, f"HTTP {status} from {hub.url}", remedy)
    tries = [seen for seen in hub.requests if seen.status == status]
    assert len(tries) == 5


def test_a_hub_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcar.retries.PAUSE", 0.001)
    with kept_ports(1) as (port,), pytest.raises(SourceError) as caught:
        hub = Hub(f"http://127.0.0.1:{port}")
        hub.listing(ModelSource.parse(URI))
    assert f"{hub.endpoint} cannot be reached" in caught.value.why
    assert caught.value.remedy == "check the network, the proxy and HF_ENDPOINT"


def test_an_address_that_is_no_hub(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        hub.fail("/main", 200, body=b"<html>Log in to this network</html>")
        done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)
        refused(done, f"{hub.url} gave no answer of a Hub", "check HF_ENDPOINT and the proxy")


def test_a_work_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file, no folder")
    with HubServer({REPO: FILES}) as hub:
        done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)
    refused(done, f"work folder {tmp_path}/work", "Not a directory", "free space there, or")


def test_a_work_folder_without_room(tmp_path: Path) -> None:
    """Let the process write files of a few KB alone; a full disk answers in the same place."""
    full = ("sh", "-c", 'ulimit -f 8; exec "$@"', "sh")
    files = tiny(weights=safetensors(100_000))
    with HubServer({REPO: files}) as hub:
        done = modelcar(tmp_path, "download", URI, before=full, HF_ENDPOINT=hub.url)
    refused(done, f"work folder {tmp_path}/work", "File too large", "free space there")
    assert not (tmp_path / FOLDER / WEIGHTS).exists()


def test_a_cut_download_goes_on_where_it_broke(tmp_path: Path) -> None:
    files = tiny(weights=safetensors(12 * 1024 * 1024))
    with HubServer({REPO: write(tmp_path / "source", files)}) as hub:
        hub.cut(WEIGHTS, after=11 * 1024 * 1024)
        done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path) == chosen(files)
    parts = [seen for seen in hub.requests if seen.target.endswith(WEIGHTS) and seen.sent]
    assert [(seen.status, seen.range) for seen in parts] == [
        (200, ""),
        (206, f"bytes={11 * 1024 * 1024}-"),
    ]
