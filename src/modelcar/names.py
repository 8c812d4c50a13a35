"""How a model's name and version become names elsewhere, and a URI becomes a model."""

import hashlib
import re
from typing import Final

from modelcar.values import Model, ModelSource

MAX_NAME: Final = 53


def dns_name(text: str) -> str:
    """Return `text` as a name that Kubernetes takes: `Qwen2.5-0.5B` is `qwen2-5-0-5b`.

    A letter, then letters, digits and hyphens, at most 53: KServe makes a Service of it and ten
    characters more. A longer name is cut, and ends in a short hash of the whole.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"
    name = name if name[0].isalpha() else f"model-{name}"
    if len(name) <= MAX_NAME:
        return name
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{name[: MAX_NAME - 9].rstrip('-')}-{mark}"


def model_of(uri: str) -> Model:
    """Return the model of a URI as `ModelSource.parse` reads it; raise ReferenceError_."""
    source = ModelSource.parse(uri)
    return Model(dns_name(source.location.rpartition("/")[2]), "1", source)


def image_tag(version: str, commit: str | None) -> str:
    """Return the tag of an image: the version and its commit, so that a tag need never move."""
    return f"{version}-{commit[:7]}" if commit else version
