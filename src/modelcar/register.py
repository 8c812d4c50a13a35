"""What is recorded of an image in the Model Registry: what it and the model's card say."""

from dataclasses import replace
from datetime import UTC, datetime

import modelcar
from modelcar.errors import UsageError
from modelcar.model_registry import Record
from modelcar.names import image_tag
from modelcar.values import (
    FileRules,
    ImageDigest,
    ImageFacts,
    Model,
    ModelFacts,
)

_NO_CARD = ModelFacts()


def following(model: Model, commit: str | None) -> Model:
    """Return the model under the version `<version>-<commit7>`; raise UsageError for no commit."""
    if not commit:
        why = "the image says no commit, as those that were built from a folder"
        raise UsageError(
            f"--follow for {model.name}", why, "register it under a version of its own"
        )
    return replace(model, version=image_tag(model.version, commit))


def record(
    model: Model, image: ImageFacts, card: ModelFacts = _NO_CARD, mirror: str = ""
) -> Record:
    """Return what is recorded of an image; counts as text, since the server's integers end.

    The commit is the one that the image was built from, whatever its branch points at now.
    """
    properties = {
        "source": model.source.uri,
        "commit": image.commit or "",
        "rules": _rules(model.rules),
        "modelcar_version": modelcar.__version__,
        "library": card.library,
        "tasks": ", ".join(card.tasks),
        "languages": ", ".join(card.languages),
        "image_bytes": str(image.size),
        "image_layers": str(image.layers),
        "mirror": mirror,
        **image.told,
    }
    labels = (*card.tasks, *filter(None, [card.library]), *card.tags)
    return Record(properties, labels, model.description, card.card)


def verified(record: Record, image: ImageDigest, url: str) -> Record:
    """Return the record with the answer that the image just gave at `url`."""
    told = {
        "verified_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "verified_url": url,
        "verified_digest": str(image.digest),
    }
    return replace(record, properties={**record.properties, **told})


def answered(image: ImageDigest, url: str) -> Record:
    """Return the record of nothing but the answer that the image just gave at `url`."""
    return verified(Record(), image, url)


def _rules(rules: FileRules) -> str:
    """Word which files were chosen; never empty, since that would be a label."""
    said = [f"include {glob}" for glob in rules.include]
    said += [f"exclude {glob}" for glob in rules.exclude]
    return ", ".join([*said, *["allow pickle"] * rules.allow_pickle]) or "default"
