"""Every error the library raises.

ModelCarError                 exit 1
├── UsageError                exit 2: wrong use, or a bad file
│   ├── CatalogError          a catalog or site file
│   └── ReferenceError_       an image reference or a model URI
├── ServerError               a server's answer, or none (status, whether it may pass)
│   └── PipelinesError        the Data Science Pipelines server, or a run on it
├── SourceError               the model's source: Hub or folder
│   ├── HubError              the Hub, a ServerError
│   ├── SelectionError        the listing has no weight set that may be chosen
│   └── VerificationError     bytes that are not what the source says they are
├── ImageError                building, pushing or reading an image
│   └── OciRegistryError      the OCI registry, a ServerError
├── MirrorError               skopeo
├── ModelRegistryError        the Model Registry
│   └── DriftError            a version that points at another digest
├── DeployError               the cluster or the inference service
└── PreflightError            what a run needs is missing, a line each
Stopped                       exit 143: the process was told to end
"""

from typing import ClassVar


class ModelCarError(Exception):
    """Say what failed, why, and what to do; exit with `exit_code`."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why, remedy)
        self.what, self.why, self.remedy = what, why, remedy

    def __str__(self) -> str:
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text}; {self.remedy}" if self.remedy else text


class ServerError(ModelCarError):
    """A server answered with an error; `status` is HTTP's, 0 when there was no answer.

    `may_pass` says whether the same request may go well later, `retry_after` when the server wants
    it again, as the header of that name.
    """

    def __init__(
        self,
        what: str,
        why: str = "",
        remedy: str = "",
        *,
        status: int = 0,
        may_pass: bool = False,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(what, why, remedy)
        self.status, self.may_pass, self.retry_after = status, may_pass, retry_after


class PipelinesError(ServerError):
    """The pipelines server refused, cannot be reached, or says that a run failed."""


class UsageError(ModelCarError):
    """Wrong use of a command, or input that cannot be used."""

    exit_code = 2


class CatalogError(UsageError):
    """One or more faults in catalog or site files, a line each."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class ReferenceError_(UsageError):
    """An image reference or a model URI that does not parse."""


class SourceError(ModelCarError):
    """The model's source refused, is missing, or cannot be reached."""


class HubError(SourceError, ServerError):
    """The Hub refused, or cannot be reached."""


class SelectionError(SourceError):
    """The listing holds no weight set that may be chosen."""


class VerificationError(SourceError):
    """Bytes that are not what the source says they are."""


class ImageError(ModelCarError):
    """An image could not be built, pushed or read."""


class OciRegistryError(ImageError, ServerError):
    """The OCI registry refused, or cannot be reached."""


class MirrorError(ModelCarError):
    """A mirror run of skopeo failed, or its digest is not the source's."""


class ModelRegistryError(ModelCarError):
    """The Model Registry refused or cannot be reached."""


class DriftError(ModelRegistryError):
    """A model version already points at another digest."""


class DeployError(ModelCarError):
    """The inference service was refused, or did not become ready."""


class PreflightError(ModelCarError):
    """What a run needs is missing, a line each; nothing has moved."""


class Stopped(KeyboardInterrupt):
    """The process was told to end (SIGTERM): no error, and nothing that may be passed over."""

    exit_code: ClassVar[int] = 143
    what, why = "this task", "it was stopped: the run was cancelled, or its pod evicted"
    remedy = "run it again: it goes on where it stopped"

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.remedy}"
