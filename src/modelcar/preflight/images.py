"""Where images come from and go to: the right to push, and what the pipeline runs on."""

from collections.abc import Iterator
from contextlib import suppress

from modelcar.errors import ImageError, OciRegistryError
from modelcar.oci import auth
from modelcar.oci.http import Session
from modelcar.oci.reference import DigestReference, Reference, Repository, parse, parse_tag
from modelcar.oci.store import open_store
from modelcar.preflight.finding import Finding, State
from modelcar.site import Site
from modelcar.values import Model


def pushing(model: Model, site: Site) -> Iterator[Finding]:
    """Ask the OCI registry and the mirror whether they would take an upload; none is made."""
    for name, place in (("oci_registry", site.oci_registry), ("mirror", site.mirror)):
        if not place:
            yield Finding(name, "unknown", "the site file names none")
            continue
        repository = parse_tag(f"{place}/{model.name}:preflight").location
        assert isinstance(repository, Repository)  # noqa: S101  a place is never a folder
        try:
            _open_upload(repository)
        except ImageError as error:
            yield Finding(name, "failed", f"{error.what}: {error.why}", error.remedy)
        else:
            yield Finding(name, "ok", f"{repository} takes an upload")


def _open_upload(repository: Repository) -> None:
    """Begin an upload and give it up; raise OciRegistryError where that is refused."""
    session = Session(repository, auth.find)
    session.ask_to_push()
    url = session.url("blobs/uploads/")
    response = session.retry("POST", url, body=b"", accept=(202,))
    with suppress(OciRegistryError):  # else the registry drops it by itself
        session.send("DELETE", session.location(url, response), accept=(204, 404))


def named(site: Site) -> Iterator[Finding]:
    """Look for the images that the pipeline names."""
    for name in ("base", "python", "skopeo"):
        text = getattr(site.images, name)
        check = f"images.{name}"
        if text == "scratch" or text.startswith("oci:"):
            yield Finding(check, "ok", f"{text} is no image of a registry")
            continue
        yield _stands(check, parse(text), needed=name == "base")


def _stands(check: str, image: Reference, *, needed: bool) -> Finding:
    """Return whether an image is there; what only the cluster pulls may be hidden from here."""
    named = image.digest if isinstance(image, DigestReference) else image.tag
    try:
        found = open_store(image.location).manifest(named)
    except ImageError as error:
        state: State = "failed" if needed else "unknown"
        return Finding(check, state, f"{error.what}: {error.why}", error.remedy)
    if found is None:
        remedy = f"mirror it there, or name another as {check} in the site file"
        return Finding(check, "failed", f"{image} is not there", remedy)
    if not isinstance(image, DigestReference):
        return Finding(check, "warning", f"{image} is a tag, which can move", "name its digest")
    return Finding(check, "ok", str(image))
