from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.errors import ReferenceError_
from modelcar.oci.reference import (
    DigestReference,
    Layout,
    Reference,
    Repository,
    TagReference,
    parse,
    parse_image,
    parse_tag,
)
from modelcar.values import Digest, ImageDigest

DIGEST = Digest("ab" * 32)
QUAY = Repository("quay.io", "org/name")
LAYOUT = Layout(Path("/images"))


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("quay.io/org/name:1.0", TagReference(QUAY, "1.0")),
        ("quay.io/org/name", TagReference(QUAY, "latest")),
        (f"quay.io/org/name@{DIGEST}", DigestReference(QUAY, DIGEST)),
        (f"quay.io/org/name:1.0@{DIGEST}", DigestReference(QUAY, DIGEST, "1.0")),
        ("127.0.0.1:5000/a:b", TagReference(Repository("127.0.0.1:5000", "a"), "b")),
        ("[::1]:5000/a:b", TagReference(Repository("[::1]:5000", "a"), "b")),
        ("localhost/a", TagReference(Repository("localhost", "a"), "latest")),
        (
            "host:80/a/b-c__d.e/f:T_1.x",
            TagReference(Repository("host:80", "a/b-c__d.e/f"), "T_1.x"),
        ),
        ("oci:/images:1.0", TagReference(LAYOUT, "1.0")),
        ("oci:/images", TagReference(LAYOUT, "latest")),
        ("oci:images", TagReference(Layout(Path("images")), "latest")),
        (f"oci:/images@{DIGEST}", DigestReference(LAYOUT, DIGEST)),
        (f"oci:/images:1.0@{DIGEST}", DigestReference(LAYOUT, DIGEST, "1.0")),
    ],
)
def test_a_reference_is_read(text: str, reference: Reference) -> None:
    assert parse(text) == reference


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is not a host"),
        ("name", "'name' is not a host"),
        ("org/name", "'org' is not a host"),
        ("https://quay.io/org/name", "'https:' is not a host"),
        ("me:secret@quay.io/org", "'me:secret' is not a host"),
        ("quay.io", "'' is not a repository name"),
        ("quay.io/", "'' is not a repository name"),
        ("quay.io//name", "'/name' is not a repository name"),
        ("quay.io/Org/name", "'Org/name' is not a repository name"),
        ("quay.io/org/../x", "'org/../x' is not a repository name"),
        ("quay.io/org/name/", "'org/name/' is not a repository name"),
        ("quay.io/org/name:", "'' is not a tag"),
        ("quay.io/org/name:a b", "'a b' is not a tag"),
        ("quay.io/org/name:-a", "'-a' is not a tag"),
        ("quay.io/org/name:" + "a" * 129, "is not a tag"),
        ("quay.io/org/name:a:b", "'a:b' is not a tag"),
        ("quay.io/org/name@", "it is not sha256: and 64 hex digits"),
        ("quay.io/org/name@sha256:12", "it is not sha256: and 64 hex digits"),
        (f"quay.io/org/name:@{DIGEST}", "'' is not a tag"),
        ("oci:", "it names no folder"),
        ("oci::1.0", "it names no folder"),
        ("oci:/images:", "'' is not a tag"),
        ("oci:/images:a/b", "'a/b' is not a tag"),
    ],
)
def test_a_bad_reference_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ReferenceError_) as caught:
        parse(text)
    assert why in str(caught.value)
    assert caught.value.exit_code == 2


_part = st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)?", fullmatch=True)
_locations = st.one_of(
    st.builds(
        Repository,
        st.from_regex(r"[a-z0-9]+\.[a-z]{2,5}(:[0-9]{1,5})?", fullmatch=True),
        st.lists(_part, min_size=1, max_size=3).map("/".join),
    ),
    st.builds(Layout, st.lists(_part, min_size=1, max_size=3).map(lambda parts: Path(*parts))),
)
_tags = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True)
_digests = st.binary(min_size=32, max_size=32).map(lambda content: Digest(content.hex()))


@given(
    st.one_of(
        st.builds(TagReference, _locations, _tags), st.builds(DigestReference, _locations, _digests)
    )
)
def test_what_is_written_is_read_back(reference: Reference) -> None:
    assert parse(str(reference)) == reference


def test_a_layout_keeps_its_tag_beside_the_digest_and_a_repository_does_not() -> None:
    layout = TagReference(LAYOUT, "1.0").at(DIGEST)
    repository = TagReference(QUAY, "1.0").at(DIGEST)
    assert layout.image == ImageDigest("oci:/images:1.0", DIGEST)
    assert repository.image == ImageDigest("quay.io/org/name", DIGEST)
    assert str(repository) == f"quay.io/org/name@{DIGEST}"
    assert parse_image(str(layout)) == layout


def test_where_a_digest_is_needed_a_tag_is_refused() -> None:
    assert parse_image(f"quay.io/org/name@{DIGEST}") == DigestReference(QUAY, DIGEST)
    with pytest.raises(ReferenceError_, match=r"a tag can move; .*quay\.io/org/name@sha256:…"):
        parse_image("quay.io/org/name:1.0")


@pytest.mark.parametrize("name", ["quay.io/org/name", "quay.io/org/name:1.0", "oci:/images"])
def test_a_digest_cannot_be_written_to(name: str) -> None:
    with pytest.raises(ReferenceError_, match=r"a digest cannot be written to; name it as .*:TAG"):
        parse_tag(f"{name}@{DIGEST}")


@pytest.mark.parametrize(
    ("name", "path"), [("docker.io/busybox", "library/busybox"), ("docker.io/me/x", "me/x")]
)
def test_an_official_image_of_docker_hub_lies_in_library(name: str, path: str) -> None:
    assert parse_tag(name).location == Repository("docker.io", path)


def test_the_default_tag_stands_where_none_is_written() -> None:
    assert parse_tag("quay.io/org/name", "2").tag == "2"
    assert parse_tag("quay.io/org/name:1", "2").tag == "1"
