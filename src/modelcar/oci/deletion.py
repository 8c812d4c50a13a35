"""Delete images of one repository by digest (OCI distribution specification 1.1, "Deleting").

Never by tag: OCI registries delete the manifest that the tag names, also where an index still
refers to it.
"""

from typing import Final

from modelcar.errors import OciRegistryError
from modelcar.oci import auth
from modelcar.oci.http import Session
from modelcar.oci.reference import Repository
from modelcar.values import Digest

_GONE: Final = (200, 202, 204, 404)
_OFF: Final = (
    "deleting is off or unknown there: distribution wants `storage.delete.enabled: true`, "
    "others delete in their own web pages"
)


class Deletion:
    """Deletes images of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._session = Session(repository, auth.find)

    def delete(self, digest: Digest) -> None:
        """Delete the manifest or index; what is gone already is fine. Raises OciRegistryError."""
        try:
            self._session.retry("DELETE", self._session.url(f"manifests/{digest}"), accept=_GONE)
        except OciRegistryError as error:
            what = f"deleting {self._repository}@{digest}"
            remedy = self._remedy(error)
            raise OciRegistryError(what, error.why, remedy, status=error.status) from error

    def _remedy(self, error: OciRegistryError) -> str:
        if error.status == 405 or "UNSUPPORTED" in error.why:
            return _OFF
        if error.status in (401, 403):
            host = self._repository.host
            return (
                f"log in with the right to delete: `skopeo login {host}`; in OpenShift's own OCI "
                "registry an administrator has it, and `oc adm prune images` does the same"
            )
        return error.remedy
