from pathlib import Path

import pytest

from modelcar import skopeo, skopeo_copy
from modelcar.errors import MirrorError
from modelcar.oci.reference import DigestReference, Layout, Repository, TagReference, parse
from modelcar.values import Digest, ImageDigest

DIGEST = Digest("ab" * 32)
QUAY = Repository("quay.io", "org/name")
TARGET = TagReference(Repository("mirror.x", "org/name"), "1.0")


def test_a_copy_keeps_every_platform_and_every_digest() -> None:
    assert skopeo_copy.copy_arguments("docker://a", "docker://b", "/tmp/d", "true", "false") == [
        "copy",
        "--all",
        "--preserve-digests",
        "--retry-times=5",
        "--src-tls-verify=true",
        "--dest-tls-verify=false",
        "--digestfile=/tmp/d",
        "docker://a",
        "docker://b",
    ]


def test_placeholders_pass_through_whole() -> None:
    names = ("source", "destination", "digest", "source_tls", "destination_tls")
    texts = [f"{{{{$.inputs.parameters['{name}']}}}}" for name in names]
    found = skopeo_copy.copy_arguments(*texts)
    assert found[-2:] == texts[:2]
    assert found[4:7] == [
        f"--src-tls-verify={texts[3]}",
        f"--dest-tls-verify={texts[4]}",
        f"--digestfile={texts[2]}",
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("quay.io/org/name:1.0", "docker://quay.io/org/name:1.0"),
        (f"quay.io/org/name@{DIGEST}", f"docker://quay.io/org/name@{DIGEST}"),
        (f"quay.io/org/name:1.0@{DIGEST}", f"docker://quay.io/org/name@{DIGEST}"),
        ("oci:/images:1.0", "oci:/images:1.0"),
        (f"oci:/images:1.0@{DIGEST}", "oci:/images:1.0"),
    ],
)
def test_a_reference_is_named_as_skopeo_does(text: str, name: str) -> None:
    assert skopeo_copy.location(parse(text)) == name


@pytest.mark.parametrize(
    ("host", "verified"),
    [
        ("quay.io", "true"),
        ("10.0.0.1:5000", "true"),
        ("localhost.evil.com", "true"),
        ("127.0.0.1.nip.io:5000", "true"),
        ("localhost:5000", "false"),
        ("127.0.0.1:5000", "false"),
        ("[::1]:5000", "false"),
    ],
)
def test_tls_is_left_out_on_loopback_only(host: str, verified: str) -> None:
    assert skopeo_copy.verify_tls(Repository(host, "x")) == verified


def test_a_layout_needs_no_tls_to_be_left_out() -> None:
    assert skopeo_copy.verify_tls(Layout(Path("/images"))) == "true"


@pytest.mark.parametrize(
    ("image", "destination", "expected"),
    [
        (
            ImageDigest("quay.io/org/name", DIGEST),
            TARGET,
            (f"docker://quay.io/org/name@{DIGEST}", "docker://mirror.x/org/name:1.0"),
        ),
        (
            ImageDigest("quay.io/org/name", DIGEST),
            TagReference(QUAY, "1.0"),
            (f"docker://quay.io/org/name@{DIGEST}", "docker://quay.io/org/name:1.0"),
        ),
        (
            ImageDigest("oci:/images:1.0", DIGEST),
            TARGET,
            ("oci:/images:1.0", "docker://mirror.x/org/name:1.0"),
        ),
    ],
)
def test_the_ends_of_a_copy_are_named_by_digest_to_tag(
    image: ImageDigest, destination: TagReference, expected: tuple[str, str]
) -> None:
    assert skopeo_copy.endpoints(image, destination) == (*expected, "true", "true")


def test_a_copy_counts_only_under_its_own_digest() -> None:
    assert skopeo_copy.compare(TARGET, DIGEST, DIGEST) == ImageDigest("mirror.x/org/name", DIGEST)
    with pytest.raises(MirrorError, match=f"it arrived as sha256:{'cd' * 32}, not as {DIGEST}"):
        skopeo_copy.compare(TARGET, DIGEST, Digest("cd" * 32))


# Last lines in the form that skopeo logs them.
FAILURES = [
    (
        'time="…" level=fatal msg="initializing source docker://q/x: reading manifest: '
        'unauthorized: access to the requested resource is not authorized"',
        "log in to both sides",
    ),
    ('level=fatal msg="writing blob: authentication required"', "log in to both sides"),
    ('level=fatal msg="requested access to the resource is denied"', "log in to both sides"),
    ('level=fatal msg="reading manifest 1.0 in q/x: manifest unknown"', "check the source's"),
    ('level=fatal msg="reading manifest: name unknown"', "check the source's repository"),
    (
        'level=fatal msg="pinging container registry: Get \\"https://q/v2/\\": '
        'tls: failed to verify certificate: x509: certificate signed by unknown authority"',
        "name the CA's file",
    ),
    ('level=fatal msg="dial tcp: lookup q on 10.0.0.1:53: no such host"', "check the host name"),
    ('level=fatal msg="dial tcp 127.0.0.1:1: connect: connection refused"', "check the host name"),
    ('level=fatal msg="write /storage: no space left on device"', "free space on the destination"),
    ('level=fatal msg="something new"', "look at its message above"),
    ("", "look at its message above"),
]


@pytest.mark.parametrize(("stderr", "remedy"), FAILURES, ids=[f[0][-40:] for f in FAILURES])
def test_a_failure_has_skopeos_last_words_and_a_remedy(stderr: str, remedy: str) -> None:
    error = skopeo.explain(
        ["copy", "--all", "docker://a", "docker://b"], 1, f"progress\n{stderr}\n"
    )
    assert error.what == "skopeo copy of docker://a to docker://b"
    words = stderr.partition('msg="')[2].removesuffix('"') or "progress"
    assert error.why == f"exit 1, {words}"
    assert remedy in error.remedy


def test_a_silent_failure_says_that_it_was_silent() -> None:
    assert skopeo.explain(["copy", "b"], 127, "\n").why == "exit 127, without a word"


def test_skopeo_itself_refuses_a_source_that_is_not_there(tmp_path: Path) -> None:
    source = DigestReference(Layout(tmp_path / "absent"), DIGEST, "1.0")
    with pytest.raises(MirrorError, match=r"skopeo copy of .* to oci:.*: exit \d+, .*no such file"):
        skopeo.mirror(source, TagReference(Layout(tmp_path / "copy"), "1.0"))


def test_without_skopeo_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MirrorError, match="skopeo is not installed; install it: apt-get install"):
        skopeo.run(["--version"])
