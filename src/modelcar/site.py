"""The site file: what differs from one cluster to the next."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema

from modelcar import faults, images, quantity
from modelcar.errors import ReferenceError_
from modelcar.faults import Strict, show
from modelcar.oci import reference
from modelcar.packing import LEAST_CHUNK, Packing

_DNS = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


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
        remedy = "write host/namespace, without tag or digest"
        raise ValueError(f"{show(text)} is not a host and a namespace; {remedy}")
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
    if text and not re.fullmatch(_DNS, text):
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


def _schema(pattern: str) -> WithJsonSchema:
    """Say to editors what a value looks like; they may let pass what `modelcar check` refuses."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


_URL = "[Hh][Tt][Tt][Pp][Ss]?://."
_DEFAULT = Site()

Place = Annotated[str, AfterValidator(_place)]
Image = Annotated[str, AfterValidator(_image)]
Base = Annotated[str, AfterValidator(_base)]
Url = Annotated[str, AfterValidator(_url), _schema(f"^$|^{_URL}")]
HubUrl = Annotated[str, AfterValidator(_hub), _schema(f"^{_URL}")]
Namespace = Annotated[str, AfterValidator(_dns), _schema(f"^$|^{_DNS}$")]
Claim = Annotated[str, AfterValidator(_pvc), _schema(f"^{_DNS}$")]
Chunk = Annotated[str, AfterValidator(_chunk), _schema(f"^$|^{quantity.PATTERN}$")]
Size = Annotated[str, AfterValidator(_size), _schema(f"^$|^{quantity.PATTERN}$")]


class ImagesEntry(Strict):
    """The images of a run, as `host/repository@sha256:…`; each is a pinned one where left out."""

    base: Base = Field(
        default=images.BASE,
        description="Stands below the model's layers; also `oci:FOLDER:TAG` on this machine, or "
        "`scratch` for none.",
    )
    python: Image = Field(default=images.PYTHON, description="Runs the pipeline's Python stages.")
    skopeo: Image = Field(default=images.SKOPEO, description="Runs the pipeline's mirror stage.")


class SiteFile(Strict):
    """What differs from one cluster to the next; a field with an empty text means none."""

    oci_registry: Place = Field(
        default="",
        description="The OCI registry that images are pushed to, as `host/namespace`; the "
        "repository is the model's name. Empty: an OCI layout in a folder is built.",
    )
    mirror: Place = Field(
        default="",
        description="Where images are copied to by digest, as `host/namespace`; empty: nowhere.",
    )
    model_registry: Url = Field(
        default="",
        description="The URL of the Model Registry's Route; empty: nothing is registered, and what "
        "would be is written to a file.",
    )
    model_registry_ca: str = Field(
        default="",
        description="A file of CA certificates that sign the Model Registry's, where the system's "
        "do not.",
    )
    namespace: Namespace = Field(
        default="",
        description="The namespace that is deployed to; empty: nothing is deployed, and the "
        "manifest is written to a file.",
    )
    pvc: Claim = Field(
        default=_DEFAULT.pvc,
        description="The persistent volume claim that the pipeline's downloads and records lie on.",
    )
    hub: HubUrl = Field(
        default=_DEFAULT.hub, description="The URL of the Hub, or of a mirror that speaks its API."
    )
    images: ImagesEntry = Field(
        default=ImagesEntry(),
        description="The images of a run, where the pinned ones cannot be used.",
    )
    platforms: tuple[str, ...] = Field(
        default=(),
        description="The platforms of an index, such as `[linux/amd64, linux/arm64]`; empty: one "
        "image for linux/amd64.",
    )
    chunk_size: Chunk = Field(
        default="",
        description="What is sent to the OCI registry in one request, such as `100Mi`, where it "
        "stands behind a body limit; empty: a whole layer.",
    )
    max_layer_size: Size = Field(
        default="",
        description="The largest layer that the OCI registry takes, such as `20G`, held before "
        "anything moves; empty: any.",
    )
