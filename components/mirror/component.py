"""The pipeline's face of mirror: skopeo without a shell, on its own image or the runtime image."""

from kfp import dsl

from components._chosen import chosen
from modelcar import skopeo_copy

_LONGEST = "24h"
"""skopeo waits for a silent registry without end; a terabyte takes half of this at 25 MB/s."""


@dsl.container_component
def mirror(
    source: str,
    destination: str,
    source_tls_verify: str,
    destination_tls_verify: str,
    digest: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> dsl.ContainerSpec:
    """Copy the image under its digest; skopeo writes the digest, which the next task compares."""
    arguments = skopeo_copy.copy_arguments(
        source, destination, digest, source_tls_verify, destination_tls_verify
    )
    bounded = [f"--command-timeout={_LONGEST}", *arguments]
    return dsl.ContainerSpec(image=chosen().for_skopeo, command=["skopeo"], args=bounded)
