"""The right to push, asked of each OCI registry by an upload that is given up at once."""

from collections.abc import Iterator
from contextlib import suppress

from modelcar import trust
from modelcar.errors import ImageError, OciRegistryError
from modelcar.oci import auth
from modelcar.oci.http import Session
from modelcar.oci.reference import Repository, TagReference
from modelcar.preflight.finding import Finding, State


def pushing(name: str, place: TagReference, *, by_skopeo: bool = False) -> Iterator[Finding]:
    """Ask whether a place would take an upload, under the name of its check; none is made.

    A folder is not asked. Quay makes the repository, empty, where the account may and there is
    none. What skopeo writes to may have a login or a CA that only it reads.
    """
    repository = place.location
    if not isinstance(repository, Repository):
        return
    if repository.in_cluster and not trust.own_namespace():
        yield Finding(name, "unknown", f"only pods reach {repository.host}")
        return
    try:
        _open_upload(repository)
    except ImageError as error:
        sure = isinstance(error, OciRegistryError) and trust.UNTRUSTED not in error.why
        state: State = "failed" if sure or not by_skopeo else "unknown"
        yield Finding(name, state, f"{error.what}: {error.why}", error.remedy)
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
