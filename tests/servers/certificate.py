"""Certificates for servers on loopback, made with openssl."""

import subprocess
from pathlib import Path


def self_signed(folder: Path, *hosts: str) -> tuple[Path, Path]:
    """Write a certificate of 127.0.0.1 and `hosts`, which is its own CA, and its RSA key."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    names = ",".join(["IP:127.0.0.1", *(f"DNS:{host}" for host in hosts)])
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    argv += ["-subj", "/CN=tests", "-addext", f"subjectAltName={names}"]
    argv += ["-keyout", str(key), "-out", str(certificate)]
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key
