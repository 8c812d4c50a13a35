"""The schema of a catalog file: what each field may hold, and the remedy where it does not."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from modelcar import quantity
from modelcar.errors import ReferenceError_
from modelcar.faults import Strict, show
from modelcar.names import dns_name
from modelcar.values import ModelSource, Serving

# An inference service's name, less the room that KServe's suffixes need.
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?")
# An OCI tag, less the eight characters of a `-<commit7>` behind it.
_VERSION = re.compile(r"\w[\w.-]{0,119}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?", re.ASCII)
_EFFECTS = "NoSchedule|PreferNoSchedule|NoExecute"
_LEAST_MEMORY = Decimal(1024**2)
_DEFAULT = Serving()
_PARALLEL = "serving.tensor_parallel_size"
_OWNED = {
    "--model": "the serving runtime sets it; remove it",
    "--served-model-name": "the serving runtime sets it; remove it",
    "--tensor-parallel-size": f"it has a field of its own; set {_PARALLEL}",
    "-tp": f"it has a field of its own; set {_PARALLEL}",
    "--max-model-len": "it has a field of its own; set serving.max_model_len",
}


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{show(text)} is not a name (a-z, 0-9 and -, at most 53); try {dns_name(text)}"
        )
    return text


def _object(text: str) -> str:
    if text and not _OBJECT.fullmatch(text):
        raise ValueError(
            f"{show(text)} is not a Kubernetes name; use a-z, 0-9, '-' and '.', such as my-name"
        )
    return text


def _profile(text: str) -> str:
    namespace, slash, name = text.rpartition("/")
    if (slash and not (namespace and name)) or "/" in namespace:
        raise ValueError(f"{show(text)} is not a profile; write its name, or namespace/name")
    _object(namespace), _object(name)
    return text


def _number_as_text(value: Any) -> Any:
    """Let `cpu: 4` stand for `cpu: "4"`, as Kubernetes does."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number else value


def _cpu(text: str) -> str:
    count = quantity.parse(text)
    if not count:
        raise ValueError(f"{show(text)} is not a quantity of CPUs; try 4 or 500m")
    return text


def _memory(text: str) -> str:
    size = quantity.parse(text)
    if size is None:
        example = quantity.meant(text) or _DEFAULT.memory
        raise ValueError(f"{show(text)} is not a quantity; try {example}")
    if size < _LEAST_MEMORY:
        example = f"{text}Gi" if text.isdigit() and int(text) else _DEFAULT.memory
        raise ValueError(f"{show(text)} is a quantity of bytes, below 1Mi; try {example}")
    return text


def _label(text: str) -> str:
    if text and not _LABEL.fullmatch(text):
        raise ValueError(f"{show(text)} is not a label's value; see the labels of your nodes")
    return text


def _label_key(text: str) -> str:
    prefix, _, name = text.rpartition("/")
    if not _LABEL.fullmatch(name) or (prefix and not _OBJECT.fullmatch(prefix)):
        raise ValueError(f"{show(text)} is not a label's name; see the labels of your nodes")
    return text


def _toleration(text: str) -> str:
    taint, colon, effect = text.partition(":")
    key, _, value = taint.partition("=")
    try:
        _label_key(key), _label(value)
    except ValueError as error:
        raise ValueError(f"{show(text)}: {error}") from error
    if colon and not re.fullmatch(_EFFECTS, effect):
        raise ValueError(f"{show(text)} has no effect of a taint; end it with :NoSchedule")
    return text


def _argument(text: str) -> str:
    flag = re.split(r"[=\s]", text, maxsplit=1)[0].replace("_", "-")
    if flag in _OWNED:
        raise ValueError(f"{show(text)}: {_OWNED[flag]}")
    if re.match(r"--?[\w-]+\s", text):
        joined = re.sub(r"\s+", "=", text.strip(), count=1)
        raise ValueError(f"{show(text)} is two arguments in one; write {joined}")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("it holds an empty text; remove it")
    return text


Cpu = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_cpu)]
Memory = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_memory)]
ObjectName = Annotated[str, AfterValidator(_object)]
Count = Annotated[int, Field(ge=0, lt=1 << 31)]
Pattern = Annotated[str, AfterValidator(_not_blank)]
Argument = Annotated[str, AfterValidator(_not_blank), AfterValidator(_argument)]
Toleration = Annotated[str, AfterValidator(_not_blank), AfterValidator(_toleration)]
Labels = dict[Annotated[str, AfterValidator(_label_key)], Annotated[str, AfterValidator(_label)]]


class FilesEntry(Strict):
    """`files:`, which files go into the image."""

    include: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    allow_pickle: bool = False


class ServingEntry(Strict):
    """`serving:`, how the model is served."""

    gpus: Count = _DEFAULT.gpus
    cpu: Cpu = _DEFAULT.cpu
    memory: Memory = _DEFAULT.memory
    memory_limit: str = _DEFAULT.memory_limit
    tensor_parallel_size: Count = _DEFAULT.tensor_parallel_size
    max_model_len: Count = _DEFAULT.max_model_len
    args: tuple[Argument, ...] = ()
    node_selector: Labels = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    hardware_profile: Annotated[str, AfterValidator(_profile)] = ""
    runtime: ObjectName = _DEFAULT.runtime
    route: bool = _DEFAULT.route
    auth: bool = _DEFAULT.auth
    pull_secret: ObjectName = ""

    @field_validator("memory_limit", mode="before")
    @classmethod
    def _limit(cls, value: Any, info: ValidationInfo) -> Any:
        text = _number_as_text(value)
        if not text or not isinstance(text, str):
            return text
        memory = info.data.get("memory", "")
        limit, asked = quantity.parse(_memory(text)), quantity.parse(memory)
        if limit and asked and limit < asked:
            raise ValueError(f"{show(text)} is less than memory ({memory}); raise it to {memory}")
        return text

    @field_validator("tensor_parallel_size")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        gpus = info.data.get("gpus", value)
        if value > gpus:
            raise ValueError(f"{value} is more than gpus ({gpus}); lower it, or raise gpus")
        return value

    @field_validator("runtime")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value:
            raise ValueError(f"it is empty; write {_DEFAULT.runtime}, or remove it")
        return value


class Entry(Strict):
    """One file of the catalog."""

    name: Annotated[str, AfterValidator(_name)]
    source: str
    revision: str = ""
    commit: str = ""
    version: str
    description: str = ""
    files: FilesEntry = FilesEntry()
    serving: ServingEntry = ServingEntry()

    @field_validator("source")
    @classmethod
    def _source(cls, value: str) -> str:
        try:
            ModelSource.parse(value)
        except ReferenceError_ as error:
            raise ValueError(f"{show(value)} cannot be read; {error.remedy}") from error
        return value

    @field_validator("revision", "commit")
    @classmethod
    def _of_the_hub(cls, value: str, info: ValidationInfo) -> str:
        source: str = info.data.get("source", "")
        if value and source.startswith("file:"):
            raise ValueError(f"{show(value)}: a folder has none; remove it")
        if value and info.field_name == "revision" and "@" in source:
            raise ValueError(f"{show(value)}: the source names a revision too; keep one of them")
        return value

    @field_validator("commit")
    @classmethod
    def _commit(cls, value: str) -> str:
        if value and not _COMMIT.fullmatch(value):
            raise ValueError(
                f"{show(value)} is not a commit (40 of 0-9, a-f); `modelcar pin` writes it"
            )
        return value

    @field_validator("version")
    @classmethod
    def _version(cls, value: str) -> str:
        if not _VERSION.fullmatch(value):
            tag = re.sub(r"[^\w.-]+", "-", value, flags=re.ASCII).strip("-.")[:120]
            raise ValueError(
                f"{show(value)} cannot stand in an image tag; try {show(tag or '1.0')}"
            )
        return value
