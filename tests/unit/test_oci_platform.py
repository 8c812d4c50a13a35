import json
from typing import Any

import pytest

from modelcar.errors import UsageError
from modelcar.oci.platform import Platform, choose, entries, members
from modelcar.oci.store import DOCKER_INDEX, INDEX, MANIFEST, RawManifest
from modelcar.values import Digest

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
ARM64_V8 = Platform("linux", "arm64", "v8")
ONE, TWO = Digest("1" * 64), Digest("2" * 64)


def raw(value: Any, kind: str = INDEX) -> RawManifest:
    return RawManifest(kind, json.dumps(value).encode())


def named(digest: object, **platform: object) -> dict[str, object]:
    return {"digest": str(digest), "platform": {"os": "linux", "architecture": "amd64", **platform}}


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", AMD64),
        ("linux/arm64", ARM64),
        ("linux/arm64/v8", ARM64_V8),
        ("linux/ppc64le", Platform("linux", "ppc64le")),
        ("linux/s390x", Platform("linux", "s390x")),
        ("linux/386", Platform("linux", "386")),
    ],
)
def test_a_platform_is_read_and_written_as_its_words(text: str, platform: Platform) -> None:
    assert Platform.parse(text) == platform
    assert str(platform) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "amd64",
        "linux",
        "linux/",
        "linux/x86_64",
        "linux/aarch64",
        "linux/amd46",
        "windows/amd64",
        "Linux/amd64",
        "linux/arm64/",
        "linux/arm64/v8/x",
        "linux/arm64/V8",
        " linux/amd64",
        "linux/amd64\n",
        "linux/amd64,linux/arm64",
    ],
)
def test_what_is_no_platform_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="write one such as linux/amd64 or linux/arm64") as raised:
        Platform.parse(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("asked", "other", "covered"),
    [
        (AMD64, AMD64, True),
        (AMD64, ARM64, False),
        (AMD64, Platform("windows", "amd64"), False),
        (AMD64, Platform("linux", "amd64", "v3"), False),
        (ARM64, ARM64_V8, True),
        (ARM64_V8, ARM64, True),
        (ARM64, Platform("linux", "arm64", "v9"), False),
        (Platform("linux", "arm", "v6"), Platform("linux", "arm"), False),
        (AMD64, None, False),
    ],
)
def test_no_variant_means_the_one_that_is_common(
    asked: Platform, other: Platform | None, covered: bool
) -> None:
    assert asked.covers(other) is covered


@pytest.mark.parametrize("kind", [INDEX, DOCKER_INDEX])
def test_the_images_of_an_index_are_found_by_platform(kind: str) -> None:
    found = members(raw({"manifests": [named(ONE), named(TWO, architecture="arm64")]}, kind))
    assert found == ((AMD64, ONE), (ARM64, TWO))
    assert choose(found, ARM64_V8) == TWO
    assert choose(found, Platform("linux", "s390x")) is None


def test_a_manifest_is_no_index() -> None:
    assert members(raw({"layers": []}, MANIFEST)) is None


STRANGE = [
    named(ONE, os="unknown", architecture="unknown"),
    {"digest": str(ONE)},
    {"digest": str(ONE), "platform": None},
    {"digest": str(ONE), "platform": ["linux", "amd64"]},
    {"platform": {"os": "linux", "architecture": "amd64"}},
    named("sha512:1"),
    named(ONE, os=1),
    named(ONE, os=""),
    named(ONE, architecture=None),
    named(ONE, architecture="amd64\x1b[2J"),
    named(ONE, variant=["v8"]),
    7,
    None,
]


def test_entries_that_name_no_image_of_a_platform_are_passed_over() -> None:
    assert members(raw({"manifests": [*STRANGE, named(TWO, variant=None)]})) == ((AMD64, TWO),)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"layers": {}}',
        b'{"layers": "x"}',
        b'{"layers": ' + b"[" * 100_000,
        b'{"layers": [1' + b"0" * 5000 + b"]}",
        b'{"layers": [1]' + b" " * (4 << 20) + b"}",
    ],
)
def test_a_manifest_that_holds_no_list_lists_nothing(content: bytes) -> None:
    assert entries(RawManifest(MANIFEST, content), "layers") == []


def test_a_list_is_what_the_manifest_holds() -> None:
    assert entries(raw({"layers": [1, {}]}), "layers") == [1, {}]
