"""What is recorded of an image, and under which version."""

import pytest

import modelcar
from modelcar.errors import UsageError
from modelcar.model_registry import Record
from modelcar.register import following, record, verified
from modelcar.values import (
    Digest,
    FileRules,
    ImageDigest,
    ImageFacts,
    Model,
    ModelFacts,
    ModelSource,
)

COMMIT = "c" * 40
MODEL = Model("tiny", "1.0", ModelSource("hf", "example/tiny", "main"), "Our words.")
IMAGE = ImageFacts(COMMIT, 3, 5_000_000_000, {"license": "mit", "base": "sha256:" + "1" * 64})
CARD = ModelFacts(
    license="mit",
    library="transformers",
    tasks=("text-generation",),
    languages=("en", "de"),
    tags=("chat", "fp8"),
    card="# Tiny",
)


def test_everything_that_is_known_is_recorded() -> None:
    assert record(MODEL, IMAGE, CARD, "quay.io/m@sha256:1") == Record(
        {
            "source": "hf://example/tiny",
            "commit": COMMIT,
            "rules": "default",
            "modelcar_version": modelcar.__version__,
            "library": "transformers",
            "tasks": "text-generation",
            "languages": "en, de",
            "image_bytes": "5000000000",
            "image_layers": "3",
            "mirror": "quay.io/m@sha256:1",
            "license": "mit",
            "base": "sha256:" + "1" * 64,
        },
        labels=("text-generation", "transformers", "chat", "fp8"),
        description="Our words.",
        card="# Tiny",
    )


def test_rules_are_worded_in_the_order_they_are_given() -> None:
    rules = FileRules(("*.md", "*.txt"), ("old/*",), allow_pickle=True)
    model = Model("tiny", "1.0", MODEL.source, rules=rules)

    told = record(model, IMAGE).properties["rules"]

    assert told == "include *.md, include *.txt, exclude old/*, allow pickle"


def test_an_answer_is_recorded_with_the_digest_that_gave_it() -> None:
    told = verified(
        Record({"a": "1"}), ImageDigest("q.io/m", Digest("a" * 64)), "https://m"
    ).texts()

    assert told.pop("verified_at").endswith("Z")
    assert told == {"a": "1", "verified_url": "https://m", "verified_digest": f"sha256:{'a' * 64}"}


def test_a_followed_branch_is_a_version_of_its_own() -> None:
    assert following(MODEL, COMMIT).version == "1.0-ccccccc"
    with pytest.raises(UsageError, match="--follow for tiny: the image says no commit"):
        following(MODEL, None)
