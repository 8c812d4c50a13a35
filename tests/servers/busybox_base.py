"""A small base image made from the machine's static busybox: what KServe's sidecar runs."""

import io
import shutil
import tarfile
from pathlib import Path

from modelcar.oci.content import Content
from modelcar.oci.image import Base, Descriptor, assemble
from modelcar.oci.layout import OciLayout
from modelcar.oci.reference import DigestReference, Layout
from modelcar.oci.store import LAYER
from modelcar.values import ModelSource

APPLETS = ("sh", "ls", "ln", "sleep", "mkdir", "cat")


def make(folder: Path, tag: str = "busybox") -> DigestReference:
    """Write the base as an OCI layout and return its reference."""
    store, content = OciLayout(Layout(folder)), _layer()
    digest = store.push_blob(Content.of(content))
    descriptor = Descriptor(LAYER, digest, len(content), digest)
    image = assemble(Base(env=("PATH=/bin",)), [descriptor], ModelSource("file", "/"), None)
    store.push_blob(Content.of(image.config))
    store.put_manifest(image.manifest, tag)
    return DigestReference(Layout(folder), image.manifest.digest, tag)


def _layer() -> bytes:
    program = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(_folder("bin"))
        busybox = tarfile.TarInfo("bin/busybox")
        busybox.size, busybox.mode = len(program), 0o755
        tar.addfile(busybox, io.BytesIO(program))
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return content.getvalue()


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry
