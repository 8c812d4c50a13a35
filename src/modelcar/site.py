"""The site file: what differs from one cluster to the next."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from modelcar import faults, images, quantity
from modelcar.errors import ReferenceError_
from modelcar.faults import Strict, show
from modelcar.oci import reference
from modelcar.packing import LEAST_CHUNK, Packing

_DNS = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a run, `host/repository[:tag][@sha256:…]`; the base may be `oci:FOLDER:TAG`."""

    base: str = images.BASE
    python: str = images.PYTHON
    skopeo: str = images.SKOPEO


@dataclass(frozen=True, slots=True)
class Site:
    """One cluster; an empty text means that there is none."""

    oci_registry: str = ""
    """Where images are pushed: `host/namespace`."""
    mirror: str = ""
    """Where images are copied to: `host/namespace`."""
    model_registry: str = ""
    """The Model Registry's URL."""
    model_registry_ca: str = ""
    """A file of CA certificates that sign the Model Registry's."""
    namespace: str = ""
    pvc: str = "modelcar"
    hub: str = "https://huggingface.co"
    images: Images = Images()
    platforms: tuple[str, ...] = ()
    """Such as `linux/arm64`; an index over them, or one image for linux/amd64 when empty."""
    chunk_size: str = ""
    """What goes to the OCI registry in one request, `100Mi`; empty: a whole layer."""
    max_layer_size: str = ""
    """The largest layer that the OCI registry takes, `20G`."""

    def packing(self, given: Packing) -> Packing:
        """Return how images are made here, but for what the command line says."""
        return replace(
            given,
            base=self.images.base if given.base == images.BASE else given.base,
            platforms=given.platforms or self.platforms,
            chunk=given.chunk or _bytes(self.chunk_size),
            max_layer=given.max_layer or _bytes(self.max_layer_size),
        )


def load_site(path: Path) -> Site:
    """Read a site file; raise CatalogError with all its faults."""
    entry = faults.read(path).validate(SiteFile)
    return Site(**{**entry.model_dump(), "images": Images(**entry.images.model_dump())})


def _bytes(text: str) -> int:
    return int(quantity.parse(text) or 0)


def _size(text: str) -> str:
    if text and quantity.parse(text) is None:
        raise ValueError(f"{show(text)} is not a quantity; try {quantity.meant(text) or '100Mi'}")
    return text


def _chunk(text: str) -> str:
    if text and 0 < _bytes(_size(text)) < LEAST_CHUNK:
        raise ValueError(f"{show(text)} is below 5Mi; 100Mi suits most OCI registries")
    return text


def _place(text: str) -> str:
    if not text:
        return text
    _hold_no_credentials(text)
    if "://" in text:
        raise ValueError(f"{show(text)} is a URL; write host/namespace, without https://")
    try:
        found = reference.parse(text.rstrip("/"))
    except ReferenceError_ as error:
        raise ValueError(f"{show(text)}: {error.why}; write host/namespace") from error
    if str(found.location) != text or not isinstance(found.location, reference.Repository):
        raise ValueError(
            f"{show(text)} names more than a place; write host/namespace, without tag or digest"
        )
    return text


def _url(text: str) -> str:
    if not text:
        return text
    _hold_no_credentials(text)
    try:
        url = urlsplit(text)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or url.query or url.fragment or re.search(r"\s", text):
        raise ValueError(f"{show(text)} is not a plain URL; write https://host")
    return text.rstrip("/")


def _hub(text: str) -> str:
    if not text:
        raise ValueError(f"it is empty; write {Site().hub}, or remove it")
    return _url(text)


def _image(text: str) -> str:
    _hold_no_credentials(text)
    try:
        found = reference.parse(text, default_tag="")
    except ReferenceError_ as error:
        why = error.why or "it cannot be read"
        raise ValueError(f"{show(text)}: {why}; write host/repository@sha256:…") from error
    unnamed = isinstance(found, reference.TagReference) and not found.tag
    if unnamed or not isinstance(found.location, reference.Repository):
        raise ValueError(f"{show(text)} names no image; write host/repository@sha256:…")
    return text


def _base(text: str) -> str:
    """Let a base also be a layout on this machine's disk, or none at all."""
    return text if text == reference.SCRATCH or text.startswith("oci:") else _image(text)


def _dns(text: str) -> str:
    if text and not _DNS.fullmatch(text):
        raise ValueError(f"{show(text)} is not a Kubernetes name; use a-z, 0-9 and '-'")
    return text


def _pvc(text: str) -> str:
    if not text:
        raise ValueError(f"it is empty; write {Site().pvc}, or remove it")
    return _dns(text)


def _hold_no_credentials(text: str) -> None:
    """Refuse `user:password@host` without repeating it."""
    if re.search(r"@(?!sha256:)", text):
        raise ValueError("it holds credentials; remove them, they are read from secrets")


Place = Annotated[str, AfterValidator(_place)]
Image = Annotated[str, AfterValidator(_image)]


class ImagesEntry(Strict):
    """`images:` of a site file."""

    base: Annotated[str, AfterValidator(_base)] = images.BASE
    python: Image = images.PYTHON
    skopeo: Image = images.SKOPEO


class SiteFile(Strict):
    """One site file."""

    oci_registry: Place = ""
    mirror: Place = ""
    model_registry: Annotated[str, AfterValidator(_url)] = ""
    model_registry_ca: str = ""
    namespace: Annotated[str, AfterValidator(_dns)] = ""
    pvc: Annotated[str, AfterValidator(_pvc)] = Site().pvc
    hub: Annotated[str, AfterValidator(_hub)] = Site().hub
    images: ImagesEntry = ImagesEntry()
    platforms: tuple[str, ...] = ()
    chunk_size: Annotated[str, AfterValidator(_chunk)] = ""
    max_layer_size: Annotated[str, AfterValidator(_size)] = ""
