"""What passes between stages: frozen values, each with a JSON form."""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from modelcar.errors import ReferenceError_

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
SourceKind = Literal["hf", "file"]
Status = Literal["running", "succeeded", "failed", "skipped", "rendered"]

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPO = re.compile(r"(?!.*(\.\.|--))\w[\w.-]*(/\w[\w.-]*)?")


def to_json(value: Any) -> Json:
    """Return `value` as JSON types: dataclasses as objects, tuples as lists, digests as text."""
    if isinstance(value, Digest):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return typing.cast(Json, value)


def from_json(kind: Any, data: Any) -> Any:
    """Return the value of type `kind` that `to_json` wrote as `data`.

    Unknown keys are ignored and absent ones take their default, so that a record written by
    another release can still be read. Raises TypeError or ReferenceError_ for what is of another
    type: anybody may have written it.
    """
    if kind is Digest:
        return Digest.parse(data)
    if dataclasses.is_dataclass(kind):
        hints, build, given = typing.get_type_hints(kind), typing.cast(Any, kind), _of(dict, data)
        named = {name: from_json(hints[name], given[name]) for name in hints if name in given}
        return build(**named)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return tuple(from_json(arguments[0], item) for item in _of(list, data))
    if origin is Mapping:
        return {key: from_json(arguments[1], item) for key, item in _of(dict, data).items()}
    if origin in (typing.Union, types.UnionType):
        chosen = next(a for a in arguments if a is not types.NoneType)
        return None if data is None else from_json(chosen, data)
    return data if kind is Any else _leaf(kind, data)


def _of(kind: type, data: Any) -> Any:
    if not isinstance(data, kind):
        raise TypeError(f"{type(data).__name__} in place of {kind.__name__}")
    return data


def _leaf(kind: Any, data: Any) -> Any:
    """Return a text, a number that is not beyond all others, or one of a few words."""
    if typing.get_origin(kind) is Literal:
        right = data in typing.get_args(kind)
    elif kind in (int, float):
        right = type(data) in (int, kind) and abs(data) < 1 << 63
    else:
        right = isinstance(data, kind)
    if not right:
        raise TypeError(f"{type(data).__name__} in place of {kind}")
    return data


def is_commit(text: object) -> bool:
    """Return whether it is the full name of a commit."""
    return isinstance(text, str) and _COMMIT.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest as the OCI image specification writes it."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `sha256:` and 64 hexadecimal digits; raise ReferenceError_ on anything else."""
        found = cls.read(text)
        if found is None:
            why = "it is not sha256: and 64 hex digits"
            raise ReferenceError_(f"digest {text!r}", why, "copy it whole")
        return found

    @classmethod
    def read(cls, text: Any) -> Self | None:
        """Parse what somebody else wrote; None where it is no digest of ours."""
        match = _DIGEST.fullmatch(text) if isinstance(text, str) else None
        return cls(match[1]) if match else None

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @property
    def short(self) -> str:
        """The first twelve hexadecimal digits, for people."""
        return self.hex[:12]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model comes from: a Hub repository at a revision, or a local folder."""

    kind: SourceKind
    location: str
    """`org/name` on the Hub, or the folder's absolute path."""
    revision: str = ""
    """Branch, tag or commit on the Hub; empty for a folder."""

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Parse `hf://org/name[@revision]` or `file:///folder`; raise ReferenceError_."""
        scheme, _, rest = uri.partition("://")
        if scheme == "file" and rest.startswith("/"):
            return cls("file", rest.rstrip("/") or "/")
        repo, _, revision = rest.partition("@")
        if scheme == "hf" and _REPO.fullmatch(repo):
            return cls("hf", repo, revision or "main")
        remedy = "write hf://org/name, hf://org/name@revision or file:///absolute/folder"
        raise ReferenceError_(f"model URI {uri!r}", "it cannot be read", remedy)

    def at(self, commit: str | None) -> "ModelSource":
        """Return the same source at `commit`."""
        return dataclasses.replace(self, revision=commit) if commit else self

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, which cannot move."""
        return is_commit(self.revision)

    @property
    def uri(self) -> str:
        """The source without its revision, as `parse` reads it."""
        return f"{self.kind}://{self.location}"


@dataclass(frozen=True, slots=True)
class FileRules:
    """What the user says about which files go into the image; patterns are shell globs."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow_pickle: bool = False


@dataclass(frozen=True, slots=True)
class Serving:
    """How the model is served: resources are Kubernetes quantities."""

    gpus: int = 1
    cpu: str = "4"
    memory: str = "16Gi"
    memory_limit: str = ""
    """Empty: the same as `memory`."""
    tensor_parallel_size: int = 0
    """0: as many as `gpus`."""
    max_model_len: int = 0
    """Tokens; 0: what vLLM chooses."""
    args: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[str, ...] = ()
    """Besides that of GPU nodes: `key`, `key:NoSchedule` or `key=value:NoSchedule`."""
    hardware_profile: str = ""
    """Of the dashboard: `name`, or `namespace/name`; empty for none."""
    runtime: str = "vllm-cuda-runtime"
    route: bool = True
    auth: bool = True
    pull_secret: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the catalog, a URI or the pipeline's parameters name it."""

    name: str
    version: str
    source: ModelSource
    description: str = ""
    rules: FileRules = FileRules()
    serving: Serving = field(default_factory=Serving)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the source; `size` in bytes.

    The Hub gives `sha256` for files in LFS and `blob_id` (git's sha1) for the others, whose sha256
    is known once they were read; a folder gives neither before its files are read.
    """

    path: str
    size: int
    sha256: Digest | None = None
    blob_id: str | None = None

    @property
    def checksum(self) -> str | None:
        """The checksum the source names it by, `git:…` or `sha256:…`; the same on every run."""
        if self.blob_id:
            return f"git:{self.blob_id}"
        return str(self.sha256) if self.sha256 else None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that does not go into the image, and why; `size` in bytes."""

    path: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """A layer that was built before: its digest, and its tensors' elements by dtype."""

    digest: Digest
    tensors: Mapping[str, int] = field(default_factory=dict)
    """Such as `{"BF16": 494032768}`; nothing for a layer without safetensors."""


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """The files of one layer; `size` is the tar's in bytes, `known` when it was built before."""

    files: tuple[SourceFile, ...]
    size: int
    known: KnownLayer | None = None
    reused: bool = False
    """Whether the target already holds it."""
    refuted: bool = False
    """Whether what the target holds was read and found wrong: nobody's record counts then."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the model's own files say of it; empty where they say nothing."""

    license: str = ""
    """As the model card names it, `apache-2.0`."""
    quantization: str = ""
    """The method and its bits as config.json has them, `awq 4-bit`."""
    architecture: str = ""
    """The class that config.json names first, `LlamaForCausalLM`."""
    library: str = ""
    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    card: str = ""
    """The model card's text, without its front matter, cut where it is long."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes by what happened to them; in a plan, by what would."""

    downloaded: int = 0
    uploaded: int = 0
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one model would put into the image, and what would move."""

    model: str
    version: str
    source: ModelSource
    commit: str | None
    files: tuple[SourceFile, ...]
    left_out: tuple[LeftOut, ...]
    layers: tuple[PlannedLayer, ...]
    bytes: Moved
    warnings: tuple[str, ...] = ()
    facts: ModelFacts = ModelFacts()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Verified files on disk at one commit."""

    source: ModelSource
    commit: str | None
    folder: str
    files: tuple[SourceFile, ...]
    downloaded: int = 0
    """Bytes fetched by this call."""


@dataclass(frozen=True, slots=True)
class ImageDigest:
    """One image: where it stands (`host/repository` or `oci:FOLDER:TAG`) and its digest."""

    name: str
    digest: Digest

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself; `size` is all layers' bytes."""

    commit: str | None
    layers: int
    size: int
    told: Mapping[str, str] = field(default_factory=dict)
    """What its annotations tell besides, by short names: `license`, `parameters`, `base`, …"""


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """One layer of a built image; `size` in bytes, no paths for a layer of the base."""

    digest: Digest
    size: int
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """What `build` made: the image, its layers, and the bytes that moved."""

    image: ImageDigest
    reference: str
    """The reference that was asked for, with its tag."""
    layers: tuple[ImageLayer, ...]
    bytes: Moved
    seconds: float
    changed: bool
    """False when the target already held this image under this reference."""
    facts: ImageFacts = ImageFacts(None, 0, 0)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version in the Model Registry; ids are the server's."""

    model: str
    version: str
    uri: str
    registered_model_id: str
    version_id: str
    artifact_id: str
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An inference service that answers; `seconds` from apply to its answer."""

    name: str
    namespace: str
    url: str
    seconds: float
    first_token: float = 0.0
    """Seconds until its first token; 0 when it was not asked."""
    tokens_per_second: float = 0.0
    """From the first token on; 0 when it was not asked, or gave one token or an embedding."""
    auth: bool = False
    """Whether it was shown a token."""
    previous: str = ""
    """The URI of the image that served before, to which it can be rolled back."""


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage of one run; `started` in seconds since the epoch, `seconds` its duration."""

    name: str
    status: Status
    started: float
    seconds: float = 0.0
    detail: str = ""
    """One line for people: what came out, or what was skipped and why."""
    error: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    """The JSON form of what the stage returned."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """All stages of one run of one model."""

    model: str
    version: str
    status: Status
    stages: tuple[StageRecord, ...]
    digest: str = ""
    mirror: str = ""
    registered: str = ""
    endpoint: str = ""
    asked: str = ""
    """How `modelcar run` was told the model; empty for a run of the pipeline."""
    pipeline_run: str = ""
    """The id of the pipeline's run."""
