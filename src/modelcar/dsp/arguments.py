"""What a run is told: the parameters of model and site that its compiled file has."""

import logging
from collections.abc import Mapping
from typing import Final

from modelcar import pipeline_arguments
from modelcar.dsp.compiled_file import CompiledFile
from modelcar.errors import UsageError
from modelcar.site import Site
from modelcar.values import Model, ModelSource

log = logging.getLogger(__name__)

_HERE_ONLY: Final = ("platforms", "chunk_size", "max_layer_size")
"""Fields of a site that no task reads."""


def of(compiled: CompiledFile, model: Model, site: Site, **said: bool) -> dict[str, str]:
    """Return the parameters of a run; `said` are switches that are set beside model and site.

    What a site leaves at its default is the file's to say: it may be compiled for one cluster.
    Raises UsageError for a base image that no pod has, and for a parameter that the file lacks.
    """
    _check_base(site.images.base)
    _warn(site)
    switches = {name: pipeline_arguments.switch(value) for name, value in said.items()}
    usual = pipeline_arguments.of_site(Site())
    of_site = pipeline_arguments.of_site(site)
    chosen = {name: text for name, text in of_site.items() if text != usual[name]}
    wanted = pipeline_arguments.of_model(model) | chosen | switches
    _check_known(compiled, wanted)
    return {name: text for name, text in sorted(wanted.items()) if name in compiled.parameters}


def _check_known(compiled: CompiledFile, wanted: Mapping[str, str]) -> None:
    """Refuse what the file would not hear of, unless it says what is so anyway."""
    anyway = pipeline_arguments.of_model(Model("", "", ModelSource("hf", "")))
    unknown = [name for name in wanted if name not in compiled.parameters]
    lost = [name for name in unknown if wanted[name] != anyway.get(name, "false")]
    if lost:
        why = f"it has no parameter {', '.join(lost)}: it is older than this modelcar"
        raise UsageError(f"file {compiled.path}", why, "compile it again with `make compile`")


def _warn(site: Site) -> None:
    unheard = [name for name in _HERE_ONLY if getattr(site, name)]
    if unheard:
        log.warning("the pipeline does without %s of the site file", ", ".join(unheard))


def _check_base(base: str) -> None:
    if base.startswith("oci:"):
        remedy = "name host/repository@sha256:… for a pipeline"
        why = f"{base} is a folder of this machine, which no pod has"
        raise UsageError("images.base of the site file", why, remedy)
