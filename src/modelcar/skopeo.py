"""Mirror an image with skopeo: run it, again while the fault may pass, and explain a failure."""

import logging
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from modelcar.errors import MirrorError
from modelcar.oci.reference import DigestReference, Reference, TagReference
from modelcar.progress import Advance
from modelcar.retries import ATTEMPTS, backoff
from modelcar.skopeo_copy import compare, copy_arguments, location, verify_tls
from modelcar.skopeo_process import SILENT, skopeo
from modelcar.trust import CA_VARIABLE, ca_files
from modelcar.values import Digest, ImageDigest

# skopeo before 1.19 retries none of 500 to 504, whatever --retry-times says.
_FAULT: Final = (
    r"\b50[0234]\b|Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out"
    r"|Too ?Many ?Requests|blob upload (?:unknown|invalid)"
)
_NETWORK: Final = (
    r"connection re(?:set|fused)|\bEOF\b|broken pipe|i/o timeout|timed out|handshake timeout"
    r"|deadline exceeded|Client\.Timeout|no route to host|unreachable|GOAWAY|server misbehaving"
    r"|temporary failure"
)
_TRANSIENT: Final = re.compile(f"{_FAULT}|{_NETWORK}", re.IGNORECASE)
_CAUSES: Final = (
    (SILENT, "look at the log of the OCI registry that is silent, and at the network"),
    (
        r"unauthorized|authentication required|denied",
        "log in to both sides in one auth file: `skopeo login --authfile`",
    ),
    (r"manifest unknown|name unknown|not found", "check the source's repository and digest"),
    (r"x509|certificate", f"name the CA's file in {CA_VARIABLE}"),
    (_FAULT, "the OCI registry has a fault: try again, or look at its log"),
    (
        rf"no such host|dial tcp|{_NETWORK}",
        "check the host name, the network and the proxy settings",
    ),
    (r"no space left", "free space on the destination"),
    (
        r"did not match|digest mismatch|invalid checksum|digest.invalid",
        "a registry or a proxy changes bytes: mirror again, or look at its log",
    ),
)
log = logging.getLogger(__name__)


def mirror(
    source: Reference, destination: TagReference, moved: Advance = lambda _: None
) -> ImageDigest:
    """Copy the image and return it at its destination, under the digest it had.

    `moved` hears about how many bytes went through, where the system tells (Linux). Credentials
    come from the auth file (REGISTRY_AUTH_FILE). Raises MirrorError when skopeo fails for good, or
    a digest is not the source's.
    """
    with tempfile.TemporaryDirectory(prefix="modelcar-") as folder:
        digest_file = Path(folder, "digest")
        tls = (verify_tls(source.location), verify_tls(destination.location))
        places = (location(source), location(destination))
        copy = copy_arguments(*places, str(digest_file), *tls, retries=0)  # `run` tries again
        run([copy[0], *_trusted(Path(folder)), *copy[1:]], moved)
        copied = Digest.parse(digest_file.read_text(encoding="ascii").strip())
    expected = source.digest if isinstance(source, DigestReference) else copied
    return compare(destination, expected, copied)


def run(arguments: Sequence[str], moved: Advance = lambda _: None) -> str:
    """Run skopeo and return its standard output; try again while the fault may pass."""
    for tried in range(ATTEMPTS):
        done = skopeo(arguments, moved)
        if done.returncode == 0:
            return done.stdout
        if tried == ATTEMPTS - 1 or not _TRANSIENT.search(done.stderr):
            break
        log.warning("skopeo: %s; try %d of %d", _last(done.stderr), tried + 2, ATTEMPTS)
        time.sleep(backoff(tried))
    raise explain(arguments, done.returncode, done.stderr)


def explain(arguments: Sequence[str], code: int, stderr: str) -> MirrorError:
    """Return the one error of a failed run: skopeo's last words, and what to do. Pure."""
    remedies = (remedy for cause, remedy in _CAUSES if re.search(cause, stderr, re.IGNORECASE))
    what = f"skopeo {arguments[0]} of {arguments[-2]} to {arguments[-1]}"
    why = f"exit {code}, {_last(stderr)}"
    return MirrorError(what, why, next(remedies, "look at its message above"))


def _trusted(folder: Path) -> list[str]:
    """Return the options by which skopeo trusts the CAs that the rest of the library trusts."""
    if not (files := ca_files()):
        return []
    (folder / "ca.crt").write_bytes(b"\n".join(file.read_bytes() for file in files))
    return [f"--src-cert-dir={folder}", f"--dest-cert-dir={folder}"]


def _last(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if line]
    match = re.search(r'msg="?(.*?)"?$', lines[-1]) if lines else None
    return match[1] if match else (lines[-1] if lines else "without a word")
