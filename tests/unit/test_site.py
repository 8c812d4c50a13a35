from pathlib import Path

import pytest

from modelcar import images
from modelcar.errors import CatalogError
from modelcar.packing import Packing
from modelcar.site import Images, Site, load_site
from tests import canary

DIGEST = "sha256:" + "a" * 64


def load(folder: Path, text: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(text)
    return load_site(path)


def test_every_field_is_read(tmp_path: Path) -> None:
    text = f"""\
oci_registry: registry.example.com:5000/models
mirror: quay.io/org
model_registry: https://registry.apps.example.com/
model_registry_ca: /etc/ca.crt
namespace: models
pvc: work
hub: http://127.0.0.1:8080/hub
images:
  base: quay.io/org/base@{DIGEST}
  python: quay.io/org/python:3.12
platforms: [linux/amd64, linux/arm64]
chunk_size: 100Mi
max_layer_size: 20G
"""
    assert load(tmp_path, text) == Site(
        oci_registry="registry.example.com:5000/models",
        mirror="quay.io/org",
        model_registry="https://registry.apps.example.com",
        model_registry_ca="/etc/ca.crt",
        namespace="models",
        pvc="work",
        hub="http://127.0.0.1:8080/hub",
        images=Images(f"quay.io/org/base@{DIGEST}", "quay.io/org/python:3.12", images.SKOPEO),
        platforms=("linux/amd64", "linux/arm64"),
        chunk_size="100Mi",
        max_layer_size="20G",
    )


def test_images_are_made_as_the_site_says_unless_the_command_line_does(tmp_path: Path) -> None:
    text = "platforms: [linux/arm64]\nchunk_size: 100Mi\nmax_layer_size: 20G\n"
    site = load(tmp_path, f"{text}images: {{base: scratch}}\n")
    there = Packing("scratch", ("linux/arm64",), chunk=100 * 2**20, max_layer=20 * 10**9)
    assert site.packing(Packing()) == there
    given = Packing("oci:base:1", ("linux/amd64",), chunk=2**23, max_layer=5, keep=True)
    assert site.packing(given) == given


def test_absent_fields_mean_none_and_the_pinned_images(tmp_path: Path) -> None:
    assert load(tmp_path, "namespace: models\nmirror:\n") == Site(namespace="models")
    assert Site().images == Images(images.BASE, images.PYTHON, images.SKOPEO)


FAULTS = [
    (
        "oci_registry: https://quay.io/org",
        "oci_registry: 'https://quay.io/org' is a URL; write host/namespace, without https://",
    ),
    (
        "oci_registry: quay.io/org:latest",
        "oci_registry: 'quay.io/org:latest' is not a host and a namespace; "
        "write host/namespace, without tag or digest",
    ),
    (
        "mirror: quay.io/org/",
        "mirror: 'quay.io/org/' is not a host and a namespace; "
        "write host/namespace, without tag or digest",
    ),
    (
        "mirror: quay.io/Org",
        "mirror: 'quay.io/Org': 'Org' is not a repository name (lower case, digits, . _ - /); "
        "write host/namespace",
    ),
    (
        "mirror: oci:folder",
        "mirror: 'oci:folder' is not a host and a namespace; "
        "write host/namespace, without tag or digest",
    ),
    (
        "model_registry: registry.example.com",
        "model_registry: 'registry.example.com' is not a plain URL; write https://host",
    ),
    (
        "model_registry: https://h:99999",
        "model_registry: 'https://h:99999' is not a plain URL; write https://host",
    ),
    (
        "model_registry: https://h/?x=1",
        "model_registry: 'https://h/?x=1' is not a plain URL; write https://host",
    ),
    ("hub: ''", "hub: it is empty; write https://huggingface.co, or remove it"),
    ("pvc: ''", "pvc: it is empty; write modelcar, or remove it"),
    (
        "namespace: My_Space",
        "namespace: 'My_Space' is not a Kubernetes name; use a-z, 0-9 and '-'",
    ),
    (
        "images: {base: quay.io/org/base}",
        "images.base: 'quay.io/org/base' names no image; write host/repository@sha256:…",
    ),
    (
        "images: {base: ubi9}",
        "images.base: 'ubi9': 'ubi9' is not a host (one has a dot or a port); "
        "write host/repository@sha256:…",
    ),
    (
        "images: {skopeo: 'quay.io/s/s@sha256:123'}",
        "images.skopeo: 'quay.io/s/s@sha256:123': it is not sha256: and 64 hex digits; "
        "write host/repository@sha256:…",
    ),
    ("images: {skope: x}", "images.skope: unknown field; did you mean skopeo?"),
    ("oci_registy: quay.io/org", "oci_registy: unknown field; did you mean oci_registry?"),
    ("base: x", "base: unknown field; did you mean images.base?"),
    ("namespace: 12", 'namespace: 12 is not text to YAML; quote it: "12"'),
    ("chunk_size: 1Mi", "chunk_size: '1Mi' is below 5Mi; 100Mi suits most OCI registries"),
    ("max_layer_size: 20GB", "max_layer_size: '20GB' is not a quantity; try 20Gi"),
    ("images: none", "images: 'none' is not a mapping; write `field: value` lines below it"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[text for text, _ in FAULTS])
def test_a_bad_field_is_named_with_its_remedy(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(CatalogError) as caught:
        load(tmp_path, text + "\n")
    assert caught.value.faults == (f"{tmp_path}/site.yaml: {fault}",)


@pytest.mark.parametrize(
    "line",
    [
        "model_registry: https://me:C4naryBird@host",
        "hub: https://me:C4naryBird@host",
        "mirror: me:C4naryBird@quay.io/org",
        "oci_registry: https://me:C4naryBird@quay.io/org",
        "images: {base: 'me:C4naryBird@quay.io/base'}",
    ],
)
def test_credentials_are_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    canary.planted(tmp_path / "site.yaml")
    with pytest.raises(CatalogError, match="it holds credentials; remove them") as caught:
        load(tmp_path, line + "\n")
    assert "C4naryBird" not in str(caught.value)
