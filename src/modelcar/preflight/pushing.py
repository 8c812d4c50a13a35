"""The right to push, asked of each OCI registry by an upload that is given up at once."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from modelcar import trust
from modelcar.errors import ImageError, OciRegistryError
from modelcar.oci import auth
from modelcar.oci.http import Session
from modelcar.oci.reference import Repository, TagReference
from modelcar.preflight.finding import Finding, State


def pushing(places: Mapping[str, TagReference | None]) -> Iterator[Finding]:
    """Ask each place, by the name of its check, whether it would take an upload; none is made.

    A folder is not asked. Quay makes the repository, empty, where the account may and there is
    none.
    """
    for name, place in places.items():
        repository = place and place.location
        if not isinstance(repository, Repository):
            continue
        if repository.host.split(":")[0].endswith(".svc") and not trust.own_namespace():
            yield Finding(name, "unknown", f"only pods reach {repository.host}")
            continue
        try:
            _open_upload(repository)
        except ImageError as error:
            why = f"{error.what}: {error.why}"
            yield Finding(name, _state(name, error), why, error.remedy)
        else:
            yield Finding(name, "ok", f"{repository} takes an upload")


def _state(name: str, error: ImageError) -> State:
    """Return how bad it is: a mirror is written by skopeo, which has more logins and CAs."""
    sure = isinstance(error, OciRegistryError) and "CERTIFICATE" not in error.why
    return "failed" if sure or not name.startswith("mirror") else "unknown"


def _open_upload(repository: Repository) -> None:
    """Begin an upload and give it up; raise OciRegistryError where that is refused."""
    session = Session(repository, auth.find)
    session.ask_to_push()
    url = session.url("blobs/uploads/")
    response = session.retry("POST", url, body=b"", accept=(202,))
    with suppress(OciRegistryError):  # else the registry drops it by itself
        session.send("DELETE", session.location(url, response), accept=(204, 404))
