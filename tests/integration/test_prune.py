"""`modelcar prune` on a real OCI registry, whose garbage is collected."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from modelcar.oci.reference import DigestReference
from modelcar.pushed import PushedImages
from modelcar.values import Digest
from modelcar.workfolder import WorkFolder
from tests import auth_files
from tests.auth_files import SECRET, entry
from tests.byte_path import modelcar, refused, told
from tests.prune_runs import (
    BOTH,
    UNCHECKED,
    Build,
    actions,
    builder,
    copied,
    parts,
    prune,
    reasons,
    tag,
)
from tests.servers import certificate
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.model_registry import ModelRegistryServer
from tests.servers.token_server import TokenServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """Return an OCI registry of this module's own, since its garbage is collected."""
    with DockerRegistry(tmp_path_factory.mktemp("oci-registry")) as running:
        yield running


@pytest.fixture
def place(server: DockerRegistry, repository: str) -> str:
    return f"{server.host}/{repository}"


@pytest.fixture
def build(tmp_path: Path, place: str) -> Build:
    return builder(tmp_path, place)


def stored(server: DockerRegistry) -> int:
    """Return the bytes of all blobs that the OCI registry holds."""
    return sum(path.stat().st_size for path in server.folder.rglob("blobs/sha256/*/*/data"))


def test_old_images_go_and_the_kept_ones_outlive_garbage_collection(
    tmp_path: Path, server: DockerRegistry, place: str, build: Build
) -> None:
    old, new, newer = build("1.2"), build("1.9"), build("1.10")
    tag(place, old, "again-1.2")

    tried = prune(tmp_path, place, "--keep", "2", *UNCHECKED, "--dry-run")
    assert copied(tmp_path, f"{place}@{old}") == ""
    done = prune(tmp_path, place, "--keep", "2", *UNCHECKED)
    before = stored(server)
    server.collect_garbage()

    assert tried.returncode == done.returncode == 0, done.stderr
    assert tried.stdout == done.stdout
    assert done.stdout.splitlines() == [
        f"keep    {place}@{newer}  1.10  among the 2 newest",
        f"keep    {place}@{new}  1.9  among the 2 newest",
        f"delete  {place}@{old}  1.2,again-1.2  older than the 2 newest",
    ]
    assert "garbage" not in tried.stderr
    assert f"deleted {place}@{old}\n" in done.stderr
    assert "`registry garbage-collect CONFIG`" in done.stderr
    assert before - stored(server) > 6000, "the collection had its layers to free"
    assert [copied(tmp_path, f"{place}@{digest}") for digest in (new, newer)] == ["", ""]
    assert "manifest unknown" in copied(tmp_path, f"{place}@{old}")


def test_a_second_prune_finds_nothing_to_do(tmp_path: Path, place: str, build: Build) -> None:
    build("1")
    kept = build("2")
    told(prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--json"))

    again = prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--json")

    assert actions(again) == {kept: "keep"}
    assert "garbage" not in again.stderr


def test_an_index_goes_with_its_images_and_a_kept_one_stays_whole(
    tmp_path: Path, server: DockerRegistry, place: str, build: Build
) -> None:
    old, new = build("1.0", *BOTH), build("2.0", *BOTH)
    old_parts, new_parts = parts(place, "1.0"), parts(place, "2.0")
    tag(place, old_parts[0], "1.0-amd64")
    tag(place, new_parts[0], "0.1-amd64")

    done = prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--json")
    server.collect_garbage()

    going = dict.fromkeys([old, *old_parts], "delete")
    assert actions(done) == {**going, **dict.fromkeys([new, *new_parts], "keep")}
    assert copied(tmp_path, f"{place}@{new}") == ""
    for digest in going:
        assert "manifest unknown" in copied(tmp_path, f"{place}@{digest}")


def test_a_prune_that_broke_off_is_repeated(
    tmp_path: Path, server: DockerRegistry, repository: str, build: Build
) -> None:
    with FaultyProxy(server.host) as proxy:
        place = f"{proxy.host}/{repository}"
        index, kept = build("1.0", *BOTH, at=place), build("2.0", at=place)
        last = sorted(parts(place, "1.0"))[-1]
        proxy.fail(last, 403, method="DELETE")

        refused(
            prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--json"),
            f"deleting {place}@{last}: HTTP 403",
            f"log in with the right to delete: `skopeo login {proxy.host}`",
        )
        again = prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--json")

    assert actions(again) == {kept: "keep", last: "delete"}, "no tag leads to it, our record does"
    for digest in (index, last):
        assert "manifest unknown" in copied(tmp_path, f"{server.host}/{repository}@{digest}")


def test_what_another_tool_pushed_stays(
    tmp_path: Path, place: str, build: Build, base: DigestReference
) -> None:
    old, new = build("1"), build("2")
    argv = ["skopeo", "copy", "--dest-tls-verify=false", "--preserve-digests"]
    subprocess.run(
        [*argv, f"{base.location}:busybox", f"docker://{place}:0.1"],
        check=True,
        capture_output=True,
    )

    done = prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--json")

    assert actions(done) == {new: "keep", old: "delete", str(base.digest): "keep"}
    assert reasons(done)[str(base.digest)] == "not made by modelcar"
    assert copied(tmp_path, f"{place}:0.1") == ""


def test_our_own_record_orders_images_and_finds_those_without_a_tag(
    tmp_path: Path, place: str, build: Build
) -> None:
    moved = build("1")
    second, third = build("3"), build("1")
    pushed = PushedImages.of(WorkFolder(tmp_path / "work"))
    for at, digest in enumerate((moved, second, third), 1):
        pushed.put(place, "1", Digest.parse(digest), at)

    done = prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--json")

    assert actions(done) == {third: "keep", second: "delete", moved: "delete"}
    [row] = [row for row in told(done)["images"] if row["reference"].endswith(third)]
    assert (row["tags"], row["pushed"], row["why"]) == (["1"], 3, "among the 1 newest")


def test_the_site_file_names_both_places_and_the_model_registry(
    tmp_path: Path, server: DockerRegistry, build: Build
) -> None:
    site = {"oci_registry": f"{server.host}/first", "mirror": f"{server.host}/second"}
    first, second = (f"{host}/tiny" for host in site.values())
    old, new = build("1", at=first), build("2", at=first)
    for digest in (old, new):
        told(modelcar(tmp_path, "mirror", f"{first}@{digest}", second, "--json"))
    with ModelRegistryServer() as registry:
        site_file = yaml.safe_dump({**site, "model_registry": registry.url})
        (tmp_path / "site.yaml").write_text(site_file)
        argv = ["prune", "hf://example/tiny", "--unchecked-cluster", "--json", "--keep", "1"]
        done = modelcar(tmp_path, *argv)
        asked = len(registry.requests)

    rows = {row["reference"]: row["action"] for row in told(done)["images"]}
    assert sorted(rows) == sorted(f"{at}@{d}" for at in (first, second) for d in (old, new))
    assert sorted(rows.values()) == ["delete", "delete", "keep", "keep"]
    assert (rows[f"{first}@{old}"], rows[f"{first}@{new}"]) == ("delete", "keep")
    assert asked == 5  # two for the version of the API


def test_where_deleting_is_off_it_is_said_and_the_other_place_is_pruned(
    tmp_path: Path, place: str, build: Build, repository: str
) -> None:
    old = build("1")
    build("2")
    with DockerRegistry(tmp_path / "closed", deletes=False) as closed:
        shut = f"{closed.host}/{repository}"
        oldest = build("0.1", at=shut)
        build("0.2", at=shut)
        done = prune(tmp_path, shut, "--at", place, "--keep", "1", *UNCHECKED)
        refused(
            done,
            f"deleting {shut}@{oldest}: HTTP 405 (UNSUPPORTED",
            "deleting is off or unknown there: distribution wants `storage.delete.enabled: true`",
        )
        assert copied(tmp_path, f"{shut}@{oldest}") == ""

    assert "manifest unknown" in copied(tmp_path, f"{place}@{old}")
    assert f"{place}: the space is free once" in done.stderr
    assert f"{shut}: the space" not in done.stderr


def test_the_right_to_delete_is_asked_for(tmp_path: Path, repository: str, build: Build) -> None:
    certificate_and_key = certificate.self_signed(tmp_path / "tls", "oci.example.test")
    with (
        TokenServer(*certificate_and_key, users={"me": SECRET}) as tokens,
        DockerRegistry(tmp_path / "by-token", auth=tokens.auth) as closed,
    ):
        auth_files.write(tmp_path / "no-auth.json", **{closed.host: entry("me")})
        place = f"{closed.host}/{repository}"
        old, new = build("1", at=place), build("2", at=place)
        seen = len(tokens.requests)

        looked = prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--dry-run", "--json")
        asked = [request.target for request in tokens.requests[seen:]]
        done = prune(tmp_path, place, "--keep", "1", *UNCHECKED, "--json")

    assert actions(looked) == actions(done) == {new: "keep", old: "delete"}
    assert asked
    assert all("pull" in target and "delete" not in target for target in asked)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "neither --at nor the site file names a repository; name one with --at"),
        (["--at", "oci:images"], "pruning oci:images: it is a folder of this machine"),
        (["--at", "quay.io/org/tiny:1"], "it names one image, and the whole repository is looked"),
        (["--at", f"quay.io/org/tiny@sha256:{'ab' * 32}"], "it names one image"),
        (["--at", "tiny"], "'tiny' is not a host"),
        (["--site", "absent.yaml"], "absent.yaml"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, options: list[str], message: str) -> None:
    argv = ["prune", "hf://example/tiny", "--keep", "1", *UNCHECKED, *options]
    refused(modelcar(tmp_path, *argv), message, code=2)


@pytest.mark.parametrize("keep", [[], ["--keep", "0"], ["--keep", "-1"]])
def test_at_least_one_image_is_kept(tmp_path: Path, keep: list[str]) -> None:
    done = modelcar(tmp_path, "prune", "hf://example/tiny", *UNCHECKED, *keep)
    assert done.returncode == 2
    assert "--keep" in done.stderr


def test_a_repository_that_is_not_there_has_no_images(tmp_path: Path, place: str) -> None:
    done = prune(tmp_path, place, "--keep", "1", *UNCHECKED)
    assert (done.returncode, done.stdout) == (0, "no images\n")
