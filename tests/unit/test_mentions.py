from typing import Any

import pytest

from modelcar import mentions
from modelcar.oci.reference import Repository, TagReference
from modelcar.values import Digest

HEX = "0123456789abcdef" * 4
DIGEST = Digest(HEX)


@pytest.mark.parametrize(
    "text",
    [
        f"oci://quay.io/org/tiny@sha256:{HEX}",
        f"oci:images:1@sha256:{HEX}",
        f"sha256%3A{HEX}",
        f"sha256-{HEX}",
        HEX,
        HEX.upper(),
        f"--model=oci://quay.io/org/tiny@sha256:{HEX} --verbose",
    ],
)
@pytest.mark.parametrize("within", [lambda x: x, lambda x: {"a": [{"b": x}]}, lambda x: ["-", x]])
def test_a_digest_is_found_however_it_is_written(text: str, within: Any) -> None:
    assert mentions.find("x", within(text)).digests == {DIGEST}


@pytest.mark.parametrize("value", [f"{HEX}0", HEX[1:], "sha256:", None, 7, True, {}, [None]])
def test_what_is_no_digest_is_none(value: Any) -> None:
    assert mentions.find("x", value).digests == frozenset()


def test_several_are_all_found() -> None:
    other = "ab" * 32
    found = mentions.find("x", {"uri": f"{HEX} {other}", "more": [f"sha256:{other}"]})
    assert found.digests == {DIGEST, Digest(other)}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("oci://quay.io/org/tiny:1.0", "1.0"),
        ("docker://quay.io/org/tiny:1.0", "1.0"),
        ("quay.io/org/tiny:1.0", "1.0"),
        ("oci://quay.io/org/tiny", "latest"),
    ],
)
def test_a_tag_is_found_where_a_text_is_a_reference(text: str, tag: str) -> None:
    expected = {TagReference(Repository("quay.io", "org/tiny"), tag)}
    assert mentions.find("x", {"storageUri": text}).tags == expected


@pytest.mark.parametrize(
    "text", [f"oci://quay.io/org/tiny@{DIGEST}", "pvc://weights/tiny", "a sentence: 1", "vllm", ""]
)
def test_other_texts_name_no_tag(text: str) -> None:
    assert mentions.find("x", text).tags == frozenset()
