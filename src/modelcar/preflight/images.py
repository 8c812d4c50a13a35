"""Whether the images that a run or the pipeline names can be read where they are said to stand."""

from collections.abc import Iterator, Mapping

from modelcar import trust
from modelcar.errors import ImageError
from modelcar.oci.reference import DigestReference, Reference, Repository, parse
from modelcar.oci.store import open_store
from modelcar.preflight.finding import Finding, State


def named(images: Mapping[str, str]) -> Iterator[Finding]:
    """Look for each image, by the name of its check; `base` is read by the run itself."""
    for name, text in images.items():
        check = f"images.{name}"
        if text == "scratch" or text.startswith("oci:"):
            yield Finding(check, "ok", f"{text} is not an image of an OCI registry")
            continue
        yield _stands(check, parse(text), needed=name == "base")


def _stands(check: str, image: Reference, *, needed: bool) -> Finding:
    """Return whether an image is there; what only the cluster pulls may be hidden from here."""
    location = image.location
    assert isinstance(location, Repository)  # noqa: S101  a folder was told before
    if location.in_cluster and not trust.own_namespace():
        return Finding(check, "unknown", f"only pods reach {location.host}")
    named = image.digest if isinstance(image, DigestReference) else image.tag
    try:
        found = open_store(location).manifest(named)
    except ImageError as error:
        state: State = "failed" if needed else "unknown"
        return Finding(check, state, f"{error.what}: {error.why}", error.remedy)
    if found is None:
        remedy = f"mirror it there, or name another as {check} in the site file"
        return Finding(check, "failed", f"{image} is not there", remedy)
    if not isinstance(image, DigestReference):
        return Finding(check, "warning", f"{image} is a tag, which can move", "name its digest")
    return Finding(check, "ok", str(image))
