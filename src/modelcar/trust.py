"""Whom to trust and with what: CA bundles, tokens and where they are read from."""

import base64
import functools
import ipaddress
import os
import re
import ssl
from pathlib import Path

from modelcar.errors import UsageError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CA_VARIABLE = "MODELCAR_CA_BUNDLE"
UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""What stands in an error about a certificate that no CA here has signed, as OpenSSL has it."""
_BEGIN = b"-----BEGIN "
_HOST = re.compile(r"(?:\[([^\]]+)\]|([^:]+))(?::[0-9]+)?")


def is_loopback(host: str) -> bool:
    """Return whether `host` (a name or address, with or without a port) is this machine's loopback.

    Only there is plain HTTP spoken, and TLS verification left out.
    """
    match = _HOST.fullmatch(host)
    name = match[1] or match[2] if match else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def ca_files() -> tuple[Path, ...]:
    """Return the CA files to trust besides the system's: the user's bundle, then the cluster's.

    The user's is what `MODELCAR_CA_BUNDLE` names, a file or a folder of `*.crt`, of which those
    without a certificate do not count; the cluster's signs the serving certificates of OpenShift's
    services, its internal registry among them. Raises UsageError where the user's is not there.
    """
    named, cluster = os.environ.get(CA_VARIABLE), SERVICE_ACCOUNT / "service-ca.crt"
    theirs = _bundle(Path(named)) if named else []
    return (*theirs, *([cluster] if cluster.is_file() else ()))


def _bundle(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in sorted(path.glob("*.crt")) if _BEGIN in file.read_bytes()]
    if not path.is_file():
        remedy = f"name a file of certificates in PEM in {CA_VARIABLE}"
        raise UsageError(f"CA file {path}", "there is no such file", remedy)
    return [path]


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the TLS context of every connection that the library makes by itself.

    Raises UsageError for a CA file that holds no certificate.
    """
    context = ssl.create_default_context()
    for path in ca_files():
        try:
            context.load_verify_locations(cafile=path)
        except OSError as error:  # ssl's own errors are among them
            why, remedy = str(error), f"name a file of certificates in PEM in {CA_VARIABLE}"
            raise UsageError(f"CA file {path}", why, remedy) from error
    return context


def hub_token() -> str:
    """Return the Hub's token: HF_TOKEN, else the file where `hf auth login` keeps it, or nothing.

    The names and places are huggingface_hub's.
    """
    token = (os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or "").strip()
    token = token or _kept_hub_token()
    if token and not is_token(token):
        why = "it holds a line break, a blank or a letter that no token has"
        raise UsageError(
            "the Hub's token", why, "write it again in HF_TOKEN or with `hf auth login`"
        )
    return token


def basic(pair: str) -> str:
    """Return the header's value for `user:password` as docker writes it, in UTF-8."""
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def is_token(text: str) -> bool:
    """Return whether `text` may stand in a header; who refuses it must not repeat it."""
    return text.isascii() and text.isprintable() and " " not in text


def _kept_hub_token() -> str:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    path = Path(os.environ.get("HF_TOKEN_PATH") or f"{home}/token").expanduser()
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"token file {path}", why, "write it with `hf auth login`") from error


def own_namespace() -> str:
    """Return the pod's namespace, or nothing outside a cluster."""
    path = SERVICE_ACCOUNT / "namespace"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def service_account_token() -> str:
    """Return the pod's service account token, or nothing outside a cluster.

    It is read anew at each call: the kubelet renews the file.
    """
    path = SERVICE_ACCOUNT / "token"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
