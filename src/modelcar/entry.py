"""The schema of a catalog file.

The descriptions are what `modelcar init` writes as comments, editors show, and docs/ lists.
"""

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from modelcar import quantity
from modelcar.entry_values import (
    Argument,
    Commit,
    Count,
    Cpu,
    Labels,
    Memory,
    MemoryLimit,
    Name,
    ObjectName,
    Pattern,
    Profile,
    Source,
    Toleration,
    Version,
    memory,
    number_as_text,
)
from modelcar.errors import ReferenceError_
from modelcar.faults import Strict, show
from modelcar.values import ModelSource, Serving

_DEFAULT = Serving()


class FilesEntry(Strict):
    """Which files go into the image; patterns are shell globs over paths in the repository."""

    include: tuple[Pattern, ...] = Field(
        default=(), description="Files to take besides those that are chosen, such as `*.gguf`."
    )
    exclude: tuple[Pattern, ...] = Field(
        default=(), description="Files to leave out, such as `original/*`; it wins over `include`."
    )
    allow_pickle: bool = Field(
        default=False,
        description="Take pickle weights where there are no safetensors. A pickle runs code when "
        "it is loaded: only for a repository that you trust.",
    )


class ServingEntry(Strict):
    """How the model is served, on GPU nodes of the cluster."""

    gpus: Count = Field(default=_DEFAULT.gpus, description="GPUs (nvidia.com/gpu) of the pod.")
    cpu: Cpu = Field(default=_DEFAULT.cpu, description="CPUs of the pod, such as `4` or `500m`.")
    memory: Memory = Field(
        default=_DEFAULT.memory, description="Memory of the pod, such as `16Gi`."
    )
    memory_limit: MemoryLimit = Field(
        default=_DEFAULT.memory_limit,
        description="The most memory of the pod; empty: the same as `memory`.",
    )
    tensor_parallel_size: Count = Field(
        default=_DEFAULT.tensor_parallel_size,
        description="GPUs over which the weights are spread; 0: all of `gpus`.",
    )
    max_model_len: Count = Field(
        default=_DEFAULT.max_model_len,
        description="The longest context in tokens, prompt and answer together; 0: what vLLM "
        "chooses, which is what the model was made for.",
    )
    args: tuple[Argument, ...] = Field(
        default=(),
        description="Further arguments of vLLM, each one word such as `--max-num-seqs=16`.",
    )
    node_selector: Labels = Field(
        default_factory=dict,
        description="Labels of the nodes that may serve it. By "
        "`node.kubernetes.io/instance-type` the GPUs are known, and with them whether it fits.",
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(),
        description="Taints of the nodes that it may run on, as `key=value:NoSchedule`; the taint "
        "of GPU nodes (nvidia.com/gpu) is tolerated already.",
    )
    hardware_profile: Profile = Field(
        default="",
        description="A hardware profile of the dashboard: its name in the same namespace, or "
        "`namespace/name`. What it says of nodes and tolerations wins.",
    )
    runtime: ObjectName = Field(
        default=_DEFAULT.runtime,
        description="The serving runtime; where the namespace has none of that name, it is created "
        "from the cluster's template.",
    )
    route: bool = Field(
        default=_DEFAULT.route,
        description="Whether the endpoint can be reached from outside the cluster.",
    )
    auth: bool = Field(default=_DEFAULT.auth, description="Whether the endpoint asks for a token.")
    pull_secret: ObjectName = Field(
        default="",
        description="The secret of the namespace to pull the image with; empty for none.",
    )

    @field_validator("memory_limit", mode="before")
    @classmethod
    def _limit(cls, value: Any, info: ValidationInfo) -> Any:
        text = number_as_text(value)
        if not text or not isinstance(text, str):
            return text
        asked = info.data.get("memory", "")
        limit, least = quantity.parse(memory(text)), quantity.parse(asked)
        if limit and least and limit < least:
            raise ValueError(f"{show(text)} is less than memory ({asked}); raise it to {asked}")
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
    """One model of the catalog: where it comes from, which files are taken, how it is served."""

    name: Name = Field(
        description="The name of the image, the registered model and the inference service: a-z, "
        "0-9 and -, at most 53 characters."
    )
    source: Source = Field(
        description="Where the model comes from: `hf://org/name`, or `file:///folder` on this "
        "machine."
    )
    revision: str = Field(
        default="",
        description="The branch or tag that `modelcar pin` and `--follow` resolve; empty: main.",
    )
    commit: Commit = Field(
        default="",
        description="The commit that is taken, 40 digits, as `modelcar pin` writes it; empty: what "
        "`revision` stands for at the time.",
    )
    version: Version = Field(
        description="The model version in the Model Registry, and the image's tag before the "
        "commit. Quote it: to YAML 1.0 is a number."
    )
    description: str = Field(
        default="", description="One line for people; the dashboard shows it with the endpoint."
    )
    files: FilesEntry = Field(
        default=FilesEntry(),
        description="Which files go into the image, beyond what is chosen by itself.",
    )
    serving: ServingEntry = Field(default=ServingEntry(), description="How the model is served.")

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
