"""The parameters of the pipeline's tasks, all text, by what they are about."""

from dataclasses import dataclass, fields

from modelcar import parameters, serving_parameters
from modelcar.oci.reference import TagReference
from modelcar.values import FileRules, Model, Serving


@dataclass(frozen=True, kw_only=True)
class Named:
    """Which model."""

    hf_repo: str
    model_name: str
    model_version: str

    def model(
        self,
        revision: str,
        serving: Serving | None = None,
        rules: FileRules | None = None,
        description: str = "",
    ) -> Model:
        """Return the model at a revision; raise ReferenceError_ or UsageError."""
        named = (self.hf_repo, revision, self.model_name, self.model_version, description)
        return parameters.model(*named, serving, rules or FileRules())


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which of its files."""

    include: str
    exclude: str
    allow_pickle: str

    def rules(self) -> FileRules:
        """Return the rules; raise UsageError."""
        return parameters.rules(self.include, self.exclude, self.allow_pickle)


@dataclass(frozen=True, kw_only=True)
class Served:
    """How it is served."""

    gpu_count: str
    cpu_request: str
    memory_request: str
    memory_limit: str
    node_selector_label: str
    tensor_parallel_size: str
    max_model_len: str
    vllm_args: str
    serving_runtime: str
    tolerations: str
    hardware_profile: str
    pull_secret: str
    route: str
    auth: str

    def serving(self) -> Serving:
        """Return the settings; raise UsageError."""
        given = {one.name: getattr(self, one.name) for one in fields(Served)}
        return serving_parameters.serving(**given)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where its image goes."""

    registry: str
    namespace: str
    mirror_to: str

    def target(self, model: Model, commit: str) -> TagReference:
        """Return the image's reference; raise ReferenceError_ or UsageError."""
        return parameters.target(self.registry, self.namespace, model, commit)

    def mirror(self, model: Model, commit: str) -> TagReference | None:
        """Return its mirror's reference, None without one; raise ReferenceError_ or UsageError."""
        return parameters.mirror_target(self.mirror_to, model, commit)
