"""`modelcar mirror`: the real skopeo between real OCI registries, and the digest it must keep."""

import json
from pathlib import Path

import pytest

from modelcar import skopeo_copy
from modelcar.build import build
from modelcar.errors import MirrorError
from modelcar.hub import Hub
from modelcar.oci.content import Content
from modelcar.oci.image import Base, assemble
from modelcar.oci.layout import OciLayout
from modelcar.oci.platform import Platform
from modelcar.oci.reference import DigestReference, Layout, Repository, TagReference, parse_tag
from modelcar.oci.registry import OciRepository
from modelcar.oci.store import INDEX, RawManifest
from modelcar.packing import Packing
from modelcar.values import Digest, Model, ModelSource
from modelcar.workfolder import WorkFolder
from tests.auth_files import htpasswd
from tests.byte_path import modelcar, refused, tiny, told, write
from tests.servers import certificate
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.forward_proxy import ForwardProxy


@pytest.fixture(scope="module")
def layout(
    base: DigestReference, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, DigestReference]:
    """Return a folder and the image that was built into an OCI layout there."""
    folder = tmp_path_factory.mktemp("mirrored")
    source = ModelSource("file", str(write(folder / "model", tiny())))
    target = TagReference(Layout(folder / "layout"), "1")
    work = WorkFolder(folder / "work")
    built = build(Model("tiny", "1", source), target, work, Hub(), Packing(str(base)))
    return folder, target.at(built.image.digest)


@pytest.fixture
def image(layout: tuple[Path, DigestReference]) -> DigestReference:
    return layout[1]


def digest_at(host: str, path: str, tag: str) -> Digest | None:
    found = OciRepository(Repository(host, path)).manifest(tag)
    return found.digest if found else None


def test_from_a_layout_to_a_registry_and_on_to_the_next(
    tmp_path: Path, image: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    first, second = f"{oci_registry.host}/{repository}", f"{oci_registry.host}/{repository}-copy"
    result = told(modelcar(tmp_path, "mirror", str(image), f"{first}:1", "--json"))
    assert result == {"reference": f"{first}@{image.digest}", "digest": str(image.digest)}

    done = modelcar(tmp_path, "mirror", f"{first}@{image.digest}", f"{second}:stable")

    assert done.stdout == f"{second}@{image.digest}\n"
    assert digest_at(oci_registry.host, f"{repository}-copy", "stable") == image.digest
    blobs = OciRepository(Repository(oci_registry.host, f"{repository}-copy"))
    found = blobs.manifest(image.digest)
    assert found is not None
    for layer in json.loads(found.content)["layers"]:
        assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar"
        content = b"".join(blobs.open_blob(Digest.parse(layer["digest"])))
        assert len(content) == layer["size"]


def test_an_index_is_copied_whole(
    tmp_path: Path, oci_registry: DockerRegistry, repository: str
) -> None:
    store = OciLayout(Layout(tmp_path / "layout"))
    children = []
    for architecture in ("amd64", "arm64"):
        base = Base(platform=Platform("linux", architecture))
        built = assemble(base, [], ModelSource("file", "/"), None)
        store.push_blob(Content.of(built.config))
        store.put_manifest(built.manifest, "")
        children.append((architecture, built.manifest))
    index = _index(children)
    store.put_manifest(index, "both")
    source = f"oci:{tmp_path}/layout:both@{index.digest}"
    target = f"{oci_registry.host}/{repository}:both"

    result = told(modelcar(tmp_path, "mirror", source, target, "--json"))

    assert result["digest"] == str(index.digest)
    stands = OciRepository(Repository(oci_registry.host, repository))
    assert stands.manifest("both") == index
    for _, child in children:
        assert stands.manifest(child.digest) == child


def _index(children: list[tuple[str, RawManifest]]) -> RawManifest:
    entries = [
        {
            "mediaType": child.media_type,
            "digest": str(child.digest),
            "size": len(child.content),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture, child in children
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    return RawManifest(INDEX, json.dumps(index).encode())


@pytest.mark.parametrize(("method", "status"), [("PATCH", 500), ("PUT", 502), ("POST", 503)])
def test_a_fault_that_passes_at_the_destination_is_outlived(
    tmp_path: Path,
    image: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
    method: str,
    status: int,
) -> None:
    with FaultyProxy(oci_registry.host) as proxy:
        proxy.fail("", status, method=method)
        target = f"{proxy.host}/{repository}:1"
        done = modelcar(tmp_path, "mirror", str(image), target, "--json")

    assert told(done)["digest"] == str(image.digest)
    met = [seen.target for seen in proxy.requests if seen.status == status]
    # skopeo goes on by itself where no more than a mount fails. It tries one where it remembers
    # the proxy's port from a test before, with the same layers.
    assert "try 2 of 5" in done.stderr or any("mount=" in target for target in met)
    assert met
    assert digest_at(oci_registry.host, repository, "1") == image.digest


def test_a_destination_that_is_right_already_moves_nothing(
    tmp_path: Path, image: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    target = f"{oci_registry.host}/{repository}:1"
    first = told(modelcar(tmp_path, "mirror", str(image), target, "--json"))
    before = len(oci_registry.asked())

    second = told(modelcar(tmp_path, "mirror", str(image), target, "--json"))

    assert second == first
    asked = oci_registry.asked()[before:]
    assert asked
    moved = [line for line in asked if "/blobs/uploads" in line]
    assert moved == []


def test_whoever_may_not_push_is_told_to_log_in(tmp_path: Path, image: DigestReference) -> None:
    asking = htpasswd(tmp_path / "htpasswd", "tester")
    with DockerRegistry(tmp_path / "closed", htpasswd=asking) as closed:
        refusal = modelcar(tmp_path, "mirror", str(image), f"{closed.host}/a:1")
    refused(
        refusal,
        f" to docker://{closed.host}/a:1: exit 1",
        "log in to both sides in one auth file: `skopeo login --authfile`",
    )
    assert "try 2" not in refusal.stderr


def test_a_source_that_is_not_there_is_said(
    tmp_path: Path, image: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    absent = f"{oci_registry.host}/{repository}@{image.digest}"
    done = modelcar(tmp_path, "mirror", absent, f"{oci_registry.host}/{repository}-copy:1")
    refused(done, "manifest unknown", "check the source's repository and digest")


def test_another_digest_at_the_destination_is_an_error(image: DigestReference) -> None:
    target, other = parse_tag("quay.example.com/team/tiny:1"), Digest("ab" * 32)
    assert skopeo_copy.compare(target, image.digest, image.digest).digest == image.digest
    with pytest.raises(MirrorError, match=f"it arrived as {other}, not as {image.digest}"):
        skopeo_copy.compare(target, image.digest, other)


def test_a_layout_whose_tag_moved_on_is_an_error(
    tmp_path: Path, oci_registry: DockerRegistry, image: DigestReference, repository: str
) -> None:
    """skopeo takes an image of a layout by its tag alone, so the digest must be compared."""
    source = f"{image.location}:1@{Digest('cd' * 32)}"
    done = modelcar(tmp_path, "mirror", source, f"{oci_registry.host}/{repository}:1")
    refused(done, f"it arrived as {image.digest}, not as sha256:cdcd", "mirror again")


def test_a_private_ca_is_trusted_once_it_is_named(
    tmp_path: Path, image: DigestReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "oci.example.test"
    tls = certificate.self_signed(tmp_path / "tls", name)
    for variable in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with (
        DockerRegistry(tmp_path / "over-tls", tls=tls) as over_tls,
        ForwardProxy(over_tls.port) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.host}")
        argv = ["mirror", str(image), f"{name}/a:1", "--json"]
        unknown = modelcar(tmp_path, *argv)
        refused(unknown, "x509", "name the CA's file in MODELCAR_CA_BUNDLE")

        result = told(modelcar(tmp_path, *argv, MODELCAR_CA_BUNDLE=str(tls[0])))

    assert result["digest"] == str(image.digest)
