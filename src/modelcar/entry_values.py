"""What the fields of a catalog file may hold, and the remedy where they do not."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from modelcar import quantity
from modelcar.faults import show
from modelcar.names import dns_name
from modelcar.values import Serving

# Written as JSON Schema reads them too. An inference service's name, less the room that KServe's
# suffixes need.
_NAME = "[a-z]([-a-z0-9]{0,51}[a-z0-9])?"
# An OCI tag, less the eight characters of a `-<commit7>` behind it.
_VERSION = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}"
_COMMIT = "[0-9a-f]{40}"
_OBJECT = "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_LABEL = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = f"({_OBJECT}/)?{_LABEL}"
_EFFECTS = "NoSchedule|PreferNoSchedule|NoExecute"
_TOLERATION = f"{_LABEL_KEY}(=({_LABEL})?)?(:({_EFFECTS}))?"
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
    if not re.fullmatch(_NAME, text):
        raise ValueError(
            f"{show(text)} is not a name (a-z, 0-9 and -, at most 53); try {dns_name(text)}"
        )
    return text


def _object(text: str) -> str:
    if text and not re.fullmatch(_OBJECT, text):
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


def number_as_text(value: Any) -> Any:
    """Let `cpu: 4` stand for `cpu: "4"`, as Kubernetes does."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number else value


def _cpu(text: str) -> str:
    count = quantity.parse(text)
    if not count:
        raise ValueError(f"{show(text)} is not a quantity of CPUs; try 4 or 500m")
    return text


def memory(text: str) -> str:
    """Refuse what is no quantity of bytes, or one that nobody means."""
    size = quantity.parse(text)
    if size is None:
        example = quantity.meant(text) or _DEFAULT.memory
        raise ValueError(f"{show(text)} is not a quantity; try {example}")
    if size < _LEAST_MEMORY:
        example = f"{text}Gi" if text.isdigit() and int(text) else _DEFAULT.memory
        raise ValueError(f"{show(text)} is a quantity of bytes, below 1Mi; try {example}")
    return text


def _label(text: str) -> str:
    if text and not re.fullmatch(_LABEL, text):
        raise ValueError(f"{show(text)} is not a label's value; see the labels of your nodes")
    return text


def _label_key(text: str) -> str:
    if not re.fullmatch(_LABEL_KEY, text):
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


def _commit(text: str) -> str:
    if text and not re.fullmatch(_COMMIT, text):
        raise ValueError(f"{show(text)} is not a commit (40 of 0-9, a-f); `modelcar pin` writes it")
    return text


def _version(text: str) -> str:
    if not re.fullmatch(_VERSION, text):
        tag = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")[:120]
        raise ValueError(f"{show(text)} cannot stand in an image tag; try {show(tag or '1.0')}")
    return text


def _schema(*patterns: str, kinds: str | list[str] = "string", **more: Any) -> WithJsonSchema:
    """Say to editors what a value looks like; they may let pass what `modelcar check` refuses."""
    pattern = "|".join(f"^{one}$" for one in patterns)
    return WithJsonSchema({"type": kinds, "pattern": pattern, **more})


_TEXT = {"type": "string", "pattern": r"\S"}
_LABELS = {
    "type": "object",
    "propertyNames": {"pattern": f"^{_LABEL_KEY}$"},
    "additionalProperties": {"type": "string", "pattern": f"^$|^{_LABEL}$"},
}
_AMOUNT = _schema(quantity.PATTERN, kinds=["string", "number"], minimum=0)
_MAYBE_OBJECT = _schema("", _OBJECT)
_LabelKey = Annotated[str, AfterValidator(_label_key)]
_LabelValue = Annotated[str, AfterValidator(_label)]

Name = Annotated[str, AfterValidator(_name), _schema(_NAME)]
Source = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^(hf://[^/@]|file:///)"})]
Version = Annotated[str, AfterValidator(_version), _schema(_VERSION)]
Commit = Annotated[str, AfterValidator(_commit), _schema("", _COMMIT)]
Cpu = Annotated[str, BeforeValidator(number_as_text), AfterValidator(_cpu), _AMOUNT]
Memory = Annotated[str, BeforeValidator(number_as_text), AfterValidator(memory), _AMOUNT]
MemoryLimit = Annotated[str, _schema("", quantity.PATTERN, kinds=["string", "number"], minimum=0)]
ObjectName = Annotated[str, AfterValidator(_object), _MAYBE_OBJECT]
Profile = Annotated[str, AfterValidator(_profile), _schema("", f"({_OBJECT}/)?{_OBJECT}")]
Count = Annotated[int, Field(ge=0, lt=1 << 31)]
Pattern = Annotated[str, AfterValidator(_not_blank), WithJsonSchema(_TEXT)]
Argument = Annotated[
    str, AfterValidator(_not_blank), AfterValidator(_argument), WithJsonSchema(_TEXT)
]
Toleration = Annotated[
    str, AfterValidator(_not_blank), AfterValidator(_toleration), _schema(_TOLERATION)
]
Labels = Annotated[dict[_LabelKey, _LabelValue], WithJsonSchema(_LABELS)]
