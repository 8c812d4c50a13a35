"""The verb `register`: what it takes from image, model card and catalog, and how it refuses."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.byte_path import REPO, modelcar, refused, tiny, told, write
from tests.model_registry_runs import properties
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

CARD = b"""---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
language:
- en
- de
tags:
- chat
---
# Tiny

A model for tests.
"""


@dataclass(frozen=True)
class Place:
    """A folder with an image of the model, built from a Hub, and a Model Registry."""

    folder: Path
    hub: HubServer
    registry: ModelRegistryServer

    def build(self, *options: str) -> str:
        """Build the image into a folder, and return its reference by digest."""
        argv = ["build", f"hf://{REPO}", "--to", "oci:image:1", "--json", "--base", "scratch"]
        done = modelcar(self.folder, *argv, *options, HF_ENDPOINT=self.hub.url)
        return str(told(done)["reference"])

    def register(
        self,
        image: str,
        *options: str,
        model: str = f"hf://{REPO}",
        hub: HubServer | None = None,
    ) -> subprocess.CompletedProcess[str]:
        argv = ["register", model, "--image", image, "--model-registry", self.registry.url]
        return modelcar(self.folder, *argv, *options, HF_ENDPOINT=(hub or self.hub).url)

    def version(self, name: str = "1") -> dict[str, Any]:
        (found,) = (v for v in self.registry.store.all("version") if v["name"] == name)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    files = write(tmp_path / "source", {**tiny(), "README.md": CARD})
    with HubServer({REPO: files}) as hub, ModelRegistryServer() as registry:
        yield Place(tmp_path, hub, registry)


def test_image_and_model_card_say_what_is_recorded(place: Place) -> None:
    image = place.build()
    done = told(place.register(image, "--json"))
    again = told(place.register(image, "--json"))

    version = place.version()
    found = properties(version)
    assert done["uri"] == image
    assert (done["changed"], again["changed"]) == (True, False)
    commit = place.hub.commit(REPO)
    assert (found["source"], found["commit"]) == (f"hf://{REPO}", commit)
    assert found["license"] == "apache-2.0"
    assert (found["library"], found["tasks"]) == ("transformers", "text-generation")
    assert found["languages"] == "en, de"
    assert int(found["parameters"]) > 0
    assert "=" in found["dtypes"]
    assert found["rules"] == "default"
    labels = {name for name, text in found.items() if not text}
    assert labels == {"chat", "text-generation", "transformers"}
    (model,) = place.registry.store.all("model")
    assert version["description"] == model["description"] == "# Tiny\n\nA model for tests."
    assert {name for name, text in properties(model).items() if not text} == labels


def test_a_mirror_is_recorded_when_it_is_of_this_image(place: Place) -> None:
    image = place.build()
    digest = image.partition("@")[2]
    done = place.register(image, "--mirror", f"quay.io/me/tiny@{digest}")

    assert done.returncode == 0, done.stderr
    assert properties(place.version())["mirror"] == f"quay.io/me/tiny@{digest}"
    other = place.register(image, "--mirror", f"quay.io/me/tiny@sha256:{'d' * 64}")
    refused(other, f"mirror quay.io/me/tiny@sha256:{'d' * 64}: its digest is not", digest, code=2)


def test_drift_names_both_digests_and_what_differs(place: Place) -> None:
    first = place.build()
    assert place.register(first).returncode == 0
    catalog = {
        "name": "tiny",
        "source": f"hf://{REPO}",
        "version": "1",
        "files": {"exclude": ["t*"]},
    }
    (place.folder / "tiny.yaml").write_text(json.dumps(catalog))
    second = place.build("--exclude", "t*")
    done = place.register(second, model="tiny.yaml")

    digests = [reference.partition("@")[2] for reference in (first, second)]
    line = refused(done, *digests, "register under another version, move this one with --move-ver")
    assert "(rules default there, exclude t* here)" in line
    moved = place.register(second, "--move-version", model="tiny.yaml")
    assert moved.returncode == 0, moved.stderr
    found = properties(place.version())
    assert (found["previous_uri"], found["rules"]) == (first, "exclude t*")


def test_a_branch_that_is_followed_has_a_version_for_each_commit(place: Place) -> None:
    place.register(place.build(), "--follow")
    before = place.hub.commit(REPO)
    (place.folder / "source/README.md").write_bytes(b"# Another card")
    place.register(place.build(), "--follow")

    commits = (before, place.hub.commit(REPO))
    names = [version["name"] for version in place.registry.store.all("version")]
    assert names == [f"1-{commit[:7]}" for commit in commits]


def test_without_a_hub_the_image_alone_is_recorded(place: Place) -> None:
    image = place.build()
    with HubServer({}) as empty:
        done = place.register(image, hub=empty)

    assert done.returncode == 0, done.stderr
    assert "what the model card says is not recorded: " in done.stderr
    found = properties(place.version())
    assert found["license"] == "apache-2.0"
    assert "library" not in found
