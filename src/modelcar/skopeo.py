"""Mirror an image with skopeo: build its arguments (pure), run it, compare the digests."""

import logging
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from modelcar.errors import MirrorError
from modelcar.oci.reference import (
    DigestReference,
    Layout,
    Location,
    Reference,
    Repository,
    TagReference,
    parse_image,
)
from modelcar.trust import CA_VARIABLE, ca_files, is_loopback
from modelcar.values import Digest, ImageDigest

ATTEMPTS: Final = 5
# skopeo before 1.19 retries none of 500 to 504, whatever --retry-times says.
_TRANSIENT: Final = re.compile(
    r"\b50[0234]\b|Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out"
    r"|Too Many Requests|connection re(?:set|fused)|unexpected EOF"
    r"|i/o timeout|TLS handshake timeout",
    re.IGNORECASE,
)
_CAUSES: Final = (
    (
        r"unauthorized|authentication required|denied",
        "log in to both sides in one auth file: `skopeo login --authfile`",
    ),
    (r"manifest unknown|name unknown|not found", "check the source's repository and digest"),
    (r"x509|certificate", f"name the CA's file in {CA_VARIABLE}"),
    (r"no such host|dial tcp", "check the host name, the network and the proxy settings"),
    (r"no space left", "free space on the destination"),
)
log = logging.getLogger(__name__)


def location(reference: Reference) -> str:
    """Return `reference` as skopeo names it: with its transport, by digest at a registry."""
    if isinstance(reference.location, Layout):
        return f"oci:{reference.location.folder}:{reference.tag or 'latest'}"
    if isinstance(reference, DigestReference):
        return f"docker://{reference.location}@{reference.digest}"
    return f"docker://{reference.location}:{reference.tag}"


def verify_tls(where: Location) -> str:
    """Return `true`, or `false` on loopback, where plain HTTP is spoken."""
    return str(not (isinstance(where, Repository) and is_loopback(where.host))).lower()


def copy_arguments(
    source: str, destination: str, digest_file: str, source_tls: str, destination_tls: str
) -> list[str]:
    """Return the arguments of one copy that keeps every digest.

    Without --preserve-digests skopeo compresses the layers on their way and every digest changes;
    without --all it takes one platform of an index. The values may be KFP placeholders.
    """
    return [
        "copy",
        "--all",
        "--preserve-digests",
        "--retry-times=5",
        f"--src-tls-verify={source_tls}",
        f"--dest-tls-verify={destination_tls}",
        f"--digestfile={digest_file}",
        source,
        destination,
    ]


def endpoints(image: ImageDigest, destination: TagReference) -> tuple[str, ...]:
    """Return source, destination and whether to verify each one's TLS, as skopeo takes them.

    Where no mirror is asked for, the destination is where the image stands already: such a copy
    does nothing, so that the pipeline needs no branch.
    """
    source = parse_image(str(image))
    tls = (verify_tls(source.location), verify_tls(destination.location))
    return (location(source), location(destination), *tls)


def mirror(source: Reference, destination: TagReference) -> ImageDigest:
    """Copy the image and return it at its destination, under the digest it had.

    Raises MirrorError when skopeo fails for good, or a digest is not the source's. Credentials
    come from the auth file (REGISTRY_AUTH_FILE).
    """
    with tempfile.TemporaryDirectory(prefix="modelcar-") as folder:
        digest_file = Path(folder, "digest")
        tls = (verify_tls(source.location), verify_tls(destination.location))
        copy = copy_arguments(location(source), location(destination), str(digest_file), *tls)
        run([copy[0], *_trusted(Path(folder)), *copy[1:]])
        copied = Digest.parse(digest_file.read_text(encoding="ascii").strip())
    expected = source.digest if isinstance(source, DigestReference) else copied
    return compare(destination, expected, copied)


def compare(destination: TagReference, expected: Digest, copied: Digest) -> ImageDigest:
    """Return the mirrored image once its digest is the source's; raise MirrorError."""
    if copied != expected:
        why = f"it arrived as {copied}, not as {expected}"
        raise MirrorError(f"mirroring to {destination}", why, "do not use that copy: mirror again")
    return destination.at(copied).image


def run(arguments: Sequence[str]) -> str:
    """Run skopeo and return its standard output; try again while the fault may pass."""
    for tried in range(ATTEMPTS):
        done = _once(arguments)
        if done.returncode == 0:
            return done.stdout
        if tried == ATTEMPTS - 1 or not _TRANSIENT.search(done.stderr):
            break
        log.warning("skopeo: %s; try %d of %d", _last(done.stderr), tried + 2, ATTEMPTS)
        time.sleep(min(0.5 * 2**tried, 30))
    raise explain(arguments, done.returncode, done.stderr)


def explain(arguments: Sequence[str], code: int, stderr: str) -> MirrorError:
    """Return the one error of a failed run: skopeo's last words, and what to do. Pure."""
    remedies = (remedy for cause, remedy in _CAUSES if re.search(cause, stderr, re.IGNORECASE))
    what = f"skopeo {arguments[0]} to {arguments[-1]}"
    why = f"exit {code}, {_last(stderr)}"
    return MirrorError(what, why, next(remedies, "look at its message above"))


def _trusted(folder: Path) -> list[str]:
    """Return the options by which skopeo trusts the CAs that the rest of the library trusts."""
    if not (files := ca_files()):
        return []
    (folder / "ca.crt").write_bytes(b"\n".join(file.read_bytes() for file in files))
    return [f"--src-cert-dir={folder}", f"--dest-cert-dir={folder}"]


def _once(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    program = shutil.which("skopeo")
    if program is None:
        remedy = "install it: apt-get install skopeo, dnf install skopeo, or brew install skopeo"
        raise MirrorError("mirroring", "skopeo is not installed", remedy)
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def _last(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if line]
    match = re.search(r'msg="?(.*?)"?$', lines[-1]) if lines else None
    return match[1] if match else (lines[-1] if lines else "without a word")
