"""What the pages of docs/how-to/ and docs/how-it-works/ need before their first command."""

import subprocess
from collections.abc import Callable, Mapping
from typing import Final

from tests import canary
from tests.docs.place import Place
from tests.docs.servers import HUB_TOKEN, PASSWORD, USER

Prepare = Callable[[Place], object]
_MODEL: Final = "qwen2-5-0-5b-instruct"
_MODEL_REGISTRY: Final = "https://modelregistry-rest.apps.example.com"
_ENV: Final = f"""HF_TOKEN={HUB_TOKEN}
QUAY_USERNAME={USER}
QUAY_PASSWORD={PASSWORD}
MODEL_REGISTRY_URL={_MODEL_REGISTRY}
"""


def plain(_: Place) -> None:
    """Nothing: a fresh clone, and a user who is logged in nowhere."""


def logged_in(place: Place) -> None:
    """The user has logged in at the OCI registries."""
    place.login()


def with_a_site(place: Place) -> None:
    """The user has written a site file."""
    logged_in(place)
    place.site(oci_registry="quay.io/me", mirror="harbor.example.com/models")


def with_a_robot(place: Place) -> None:
    """The namespace is ready, and the token of a robot account lies in a file."""
    ready(place)
    canary.planted(place.folder / "robot-token").write_text(PASSWORD)


def ready(place: Place) -> None:
    """The namespace `models` is ready, and a site file and a .env file are there."""
    place.login()
    site = {"oci_registry": "registry.example.com/models", "model_registry": _MODEL_REGISTRY}
    canary.planted(place.folder / ".env").write_text(_ENV)
    if place.cluster:
        place.cluster.make_ready()
        place.clone.log_in(place.cluster.kube.kubeconfig(namespace="models"))
        site |= {"namespace": "models"}
    place.site(**site)


def twice(place: Place) -> None:
    """Two versions of the model have been built and registered, and deployed where they can be."""
    ready(place)
    _typed(place, f"modelcar run {_MODEL} --exclude generation_config.json")
    catalog = place.folder / "models" / f"{_MODEL}.yaml"
    catalog.write_text(catalog.read_text().replace('version: "1.0"', 'version: "1.1"'))
    _typed(place, f"modelcar run {_MODEL}")


def _typed(place: Place, command: str) -> None:
    environment = place.environment()
    options = {"cwd": place.folder, "env": environment, "text": True, "timeout": 120}
    done = subprocess.run(["bash", "-c", command], capture_output=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr


PAGES: Final[Mapping[str, Prepare]] = {
    "docs/disconnected.md": with_a_site,
    "docs/how-it-works/fit.md": plain,
    "docs/how-it-works/layers.md": plain,
    "docs/how-it-works/reuse.md": logged_in,
    "docs/how-to/deploy.md": ready,
    "docs/how-to/from-tekton.md": ready,
    "docs/how-to/keep-registries-small.md": twice,
    "docs/how-to/model-registry.md": logged_in,
    "docs/how-to/other-oci-registries.md": with_a_robot,
    "docs/how-to/private-and-gated.md": ready,
    "docs/how-to/roll-back.md": twice,
    "docs/how-to/schedule-many.md": ready,
    "docs/how-to/small-volume.md": ready,
    "docs/how-to/watch-a-run.md": ready,
}
