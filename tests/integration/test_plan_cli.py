"""`modelcar plan`, `pin` and `check`: what scripts read, what is refused, and what is written."""

import re
from pathlib import Path

import pytest

from modelcar.oci.reference import DigestReference
from tests.byte_path import REPO, below, chosen, modelcar, refused, tiny, told, write
from tests.interrupting import Command
from tests.screen import screen
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer

FILES = tiny()
URI = f"hf://{REPO}"
CATALOG = """\
# The smallest model.
name: tiny
source: hf://example/tiny   # on the Hub
revision: main
version: "1.0"
"""


def test_the_plan_as_scripts_read_it(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        made = told(modelcar(tmp_path, "plan", URI, "--json", HF_ENDPOINT=hub.url))
        commit = hub.commit(REPO)

    assert (made["model"], made["version"], made["source"]) == ("tiny", "1", URI)
    assert made["commit"] == commit
    assert [(file["path"], file["size"]) for file in made["files"]] == [
        (path, len(data)) for path, data in chosen(FILES).items()
    ]
    assert all(set(file) == {"path", "size", "sha256", "layer"} for file in made["files"])
    known = {file["path"] for file in made["files"] if file["sha256"]}
    assert known == {"model.safetensors", "tokenizer.json"}, "the Hub names it for LFS files only"
    assert {file["layer"] for file in made["files"]} == {None}
    left_out = {file["path"]: (file["size"], file["reason"]) for file in made["left_out"]}
    assert left_out == {
        ".gitattributes": (len(FILES[".gitattributes"]), "a hidden file"),
        "pytorch_model.bin": (28, "pickle; the same weights are there as safetensors"),
    }
    (layer,) = made["layers"]
    assert layer["paths"] == [file["path"] for file in made["files"]]
    moved = sum(len(data) for data in chosen(FILES).values())
    assert made["bytes"] == {"download": moved, "upload": layer["size"], "reused": 0}


def test_no_weight_byte_moves_for_a_plan(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        done = modelcar(tmp_path, "plan", URI, HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stderr
    targets = [seen.target for seen in hub.requests]
    assert targets
    assert not [target for target in targets if target.endswith(".safetensors")]
    assert below(tmp_path) == {}


def test_after_a_build_the_plan_names_the_layers_that_stand(
    tmp_path: Path, base: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    target = ("--to", f"{oci_registry.host}/{repository}:1")
    with HubServer({REPO: FILES}) as hub:
        argv = ["build", URI, *target, "--base", str(base), "--json", "--keep-files"]
        built = told(modelcar(tmp_path, *argv, HF_ENDPOINT=hub.url))
        made = told(modelcar(tmp_path, "plan", URI, *target, "--json", HF_ENDPOINT=hub.url))
        elsewhere = ("--to", f"{oci_registry.host}/{repository}-other:1")
        other = told(modelcar(tmp_path, "plan", URI, *elsewhere, "--json", HF_ENDPOINT=hub.url))

    layer = built["layers"][-1]
    assert {file["layer"] for file in made["files"]} == {layer["digest"]}
    assert made["bytes"] == {"download": 0, "upload": 0, "reused": layer["size"]}
    assert {file["layer"] for file in other["files"]} == {None}
    assert other["bytes"] == {"download": 0, "upload": layer["size"], "reused": 0}


def test_a_plan_at_a_glance_of_a_new_and_of_an_unchanged_model(
    tmp_path: Path, base: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    place = f"{oci_registry.host}/{repository}:1"
    with HubServer({REPO: FILES}) as hub:
        argv = ["plan", URI, "--to", place]
        new = modelcar(tmp_path, *argv, HF_ENDPOINT=hub.url).stdout.splitlines()
        build = ["build", URI, "--to", place, "--base", str(base)]
        assert modelcar(tmp_path, *build, HF_ENDPOINT=hub.url).returncode == 0
        plain = modelcar(tmp_path, *argv, HF_ENDPOINT=hub.url).stdout.splitlines()
        with Command(tmp_path, argv, (40, 24), HF_ENDPOINT=hub.url) as command:
            narrow = screen(command.rest(), 40)

    unknown = "fit unknown"
    moves = r"[\d.]+ kB to download, [\d.]+ kB to upload in 1 of 1 layer, nothing reused"
    assert re.fullmatch(rf"tiny 1: {moves}; image [\d.]+ kB and its base; {unknown}", new[0])
    assert new[1].startswith("GPUs: unknown: no GPU type is asked for")
    assert f"target: {place}" in new
    stands = r"nothing moves, [\d.]+ kB reused in 1 layer"
    assert re.fullmatch(rf"tiny 1: {stands}; image [\d.]+ kB and its base; {unknown}", plain[0])
    assert [line.split()[:2] for line in (new[5], plain[5])] == [["1", "new"], ["1", "reused"]]
    assert new[6] == "left out: 2 files, 53 B (a hidden file: 1; pickle: 1)"
    assert max(map(len, narrow)) <= 40
    joined = " ".join(line.strip() for line in narrow)
    assert plain[0] in joined, "all of it is there, on several lines"


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        (
            {"config.json": b"{}", "model.bin": b"x"},
            ("choosing the files of tiny", "model.bin is a pickle", "--allow-pickle"),
        ),
        ({"config.json": b"{}"}, ("it lists no weights", "check the repository's name")),
        (
            {"config.json": b"{}", "a/../model.safetensors": b"x"},
            ("unsafe path 'a/../model.safetensors'", "do not use this repository"),
        ),
        (
            {"config.json": b"{}", "model-00001-of-00002.safetensors": b"x"},
            ("1 of 2 shards", "wait until the upload is complete"),
        ),
    ],
    ids=["pickle", "no weights", "unsafe", "torn"],
)
def test_a_listing_that_may_not_be_used_is_refused(
    tmp_path: Path, files: dict[str, bytes], parts: tuple[str, ...]
) -> None:
    with HubServer({REPO: files}) as hub:
        refused(modelcar(tmp_path, "plan", URI, HF_ENDPOINT=hub.url), *parts)


def test_pin_writes_the_commit_and_keeps_every_comment(tmp_path: Path) -> None:
    write(tmp_path, {"models/tiny.yaml": CATALOG.encode()})
    with HubServer({REPO: FILES}) as hub:
        commit = hub.commit(REPO)
        done = modelcar(tmp_path, "pin", "tiny", HF_ENDPOINT=hub.url)
        made = modelcar(tmp_path, "plan", "tiny", "--json", HF_ENDPOINT=hub.url)

    assert done.stdout == f"{commit}\n"
    pinned = CATALOG.replace("revision: main\n", f'revision: main\ncommit: "{commit}"\n')
    assert (tmp_path / "models/tiny.yaml").read_text() == pinned
    assert told(made)["commit"] == commit


def test_a_pinned_model_stays_though_main_moves(tmp_path: Path) -> None:
    write(tmp_path, {"models/tiny.yaml": CATALOG.encode()})
    with HubServer({REPO: FILES}) as hub:
        assert modelcar(tmp_path, "pin", "tiny", HF_ENDPOINT=hub.url).returncode == 0
        commit = hub.commit(REPO)
    newer = tiny(readme=b"# newer\n")
    with HubServer({REPO: newer}, revisions={REPO: {"before": FILES}}) as hub:
        made = told(modelcar(tmp_path, "plan", "tiny", "--json", HF_ENDPOINT=hub.url))
        assert made["commit"] == commit != hub.commit(REPO)
        moved = modelcar(tmp_path, "pin", "tiny", "--json", HF_ENDPOINT=hub.url)
        assert told(moved) == {"file": "models/tiny.yaml", "commit": hub.commit(REPO)}


def test_check_names_every_fault_of_every_file_and_exits_2(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "models/a.yaml": b'name: Tiny\nsource: example/tiny\nversion: "1"\n',
            "models/b.yaml": b"name: b\nsource: hf://o/b\nversion: '1'\ngpus: 1\n",
            "models/good.yaml": CATALOG.encode(),
        },
    )
    done = modelcar(tmp_path, "check")

    assert (done.returncode, done.stdout) == (2, "")
    assert "models/a.yaml: name: 'Tiny' is not a name" in done.stderr
    assert "models/a.yaml: source: " in done.stderr
    assert "models/b.yaml: gpus: unknown field; did you mean serving.gpus?" in done.stderr
    assert "good.yaml" not in done.stderr


def test_check_passes_files_without_a_fault(tmp_path: Path) -> None:
    write(tmp_path, {"models/tiny.yaml": CATALOG.encode()})
    assert told(modelcar(tmp_path, "check", "--json")) == {
        "files": ["models/tiny.yaml"],
        "faults": [],
    }
