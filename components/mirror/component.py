"""The pipeline's face of mirror: skopeo without a shell, on its own image or the runtime image."""

from kfp import dsl

from components._runtime import RUNTIME_IMAGE
from modelcar import images, skopeo_copy


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
    image = RUNTIME_IMAGE or images.SKOPEO
    return dsl.ContainerSpec(image=image, command=["skopeo"], args=arguments)
