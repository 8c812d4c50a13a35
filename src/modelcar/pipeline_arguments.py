"""The pipeline's parameters, all text, of a model and a site. Pure.

`parameters` and `serving_parameters` read them back in its tasks.
"""

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelcar.site import Site
    from modelcar.values import Model, ModelSource, Serving


def of_model(model: "Model") -> dict[str, str]:
    """Return the parameters that say which model is meant, and how it is served."""
    rules = model.rules
    return {
        "hf_repo": _repository(model.source),
        "revision": model.source.revision,
        "model_name": model.name,
        "model_version": model.version,
        "model_description": model.description,
        "include": shlex.join(rules.include),
        "exclude": shlex.join(rules.exclude),
        "allow_pickle": switch(rules.allow_pickle),
        **_of_serving(model.serving),
    }


def of_site(site: "Site") -> dict[str, str]:
    """Return the parameters that say where a run works, and where things go."""
    return {
        "registry": site.oci_registry,
        "mirror_to": site.mirror,
        "model_registry_url": site.model_registry,
        "namespace": site.namespace,
        "pvc_name": site.pvc,
        "base_image": site.images.base,
        "hf_endpoint": site.hub,
    }


def switch(value: bool) -> str:
    """Return a switch as `parameters.switch` reads it."""
    return "true" if value else "false"


def _of_serving(serving: "Serving") -> dict[str, str]:
    selector = sorted(serving.node_selector.items())
    return {
        "gpu_count": str(serving.gpus),
        "cpu_request": serving.cpu,
        "memory_request": serving.memory,
        "memory_limit": serving.memory_limit,
        "node_selector_label": ",".join(f"{key}={value}" for key, value in selector),
        "tensor_parallel_size": _number(serving.tensor_parallel_size),
        "max_model_len": _number(serving.max_model_len),
        "vllm_args": shlex.join(serving.args),
        "serving_runtime": serving.runtime,
        "tolerations": ",".join(serving.tolerations),
        "hardware_profile": serving.hardware_profile,
        "pull_secret": serving.pull_secret,
        "route": switch(serving.route),
        "auth": switch(serving.auth),
    }


def _repository(source: "ModelSource") -> str:
    return source.location if source.kind == "hf" else source.uri


def _number(value: int) -> str:
    """Return a number whose 0 says nothing."""
    return str(value) if value else ""
