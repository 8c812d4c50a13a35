import dataclasses
import inspect
import json
from typing import Any

import pytest

from modelcar import values
from modelcar.errors import ReferenceError_
from modelcar.values import (
    BuiltImage,
    Digest,
    Endpoint,
    FileRules,
    ImageDigest,
    ImageFacts,
    ImageLayer,
    KnownLayer,
    LeftOut,
    Model,
    ModelFacts,
    ModelSource,
    ModelVersion,
    Moved,
    Plan,
    PlannedLayer,
    RunRecord,
    Serving,
    Snapshot,
    SourceFile,
    StageRecord,
    from_json,
    to_json,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = Digest("ab" * 32)
SOURCE = ModelSource("hf", "org/name", COMMIT)
FILE = SourceFile("a/b.safetensors", 3, DIGEST, "cd" * 20)
RULES = FileRules(("*.gguf",), ("*.onnx", "x"), allow_pickle=True)
SERVING = Serving(
    gpus=4,
    cpu="16",
    memory="96Gi",
    memory_limit="128Gi",
    tensor_parallel_size=2,
    max_model_len=4096,
    args=("--a", "--b=c"),
    node_selector={"type": "g6"},
    tolerations=("team",),
    hardware_profile="l4",
    runtime="mine",
    route=False,
    auth=False,
    pull_secret="pull",
)
KNOWN = KnownLayer(DIGEST, {"BF16": 3})
LAYER = PlannedLayer((FILE,), 2048, KNOWN, reused=True, refuted=True)
FACTS = ModelFacts(
    "apache-2.0", "awq 4-bit", "LlamaForCausalLM", "vllm", ("chat",), ("en",), ("fp8",), "# Card"
)
IMAGE = ImageDigest("quay.io/org/name", DIGEST)
STAGE = StageRecord("build", "failed", 1.5, 2.25, "line", "why", {"image": {"n": [1, None]}})

# One of every dataclass, each optional field set to something else than its default.
EXAMPLES = (
    SOURCE,
    RULES,
    SERVING,
    Model("name", "1.0", SOURCE, "words", RULES, SERVING),
    FILE,
    LeftOut("x.bin", 9, "a copy"),
    KNOWN,
    FACTS,
    LAYER,
    Moved(1, 2, 3),
    Plan(
        "name",
        "1.0",
        SOURCE,
        COMMIT,
        (FILE, FILE),
        (LeftOut("x", 1, "y"),),
        (LAYER,),
        Moved(4, 5, 6),
        ("careful",),
        FACTS,
    ),
    Snapshot(SOURCE, COMMIT, "/folder", (FILE,), 7),
    IMAGE,
    ImageLayer(DIGEST, 5, ("a", "b")),
    BuiltImage(
        IMAGE,
        "quay.io/org/name:1.0",
        (ImageLayer(DIGEST, 5),),
        Moved(7, 8, 9),
        1.25,
        changed=True,
        facts=ImageFacts(COMMIT, 3, 10),
    ),
    ImageFacts(COMMIT, 3, 10, {"license": "mit"}),
    ModelVersion("name", "1.0", "oci://x", "1", "2", "3", changed=False),
    Endpoint("name", "models", "https://x", 12.5, 0.25, 40.5, True, "oci://old"),
    STAGE,
    RunRecord("name", "1.0", "succeeded", (STAGE,), "sha256:1", "m", "r", "e", "name", "run-1"),
)


def kind(value: object) -> str:
    return type(value).__name__


def optional(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def test_the_examples_hold_every_dataclass_with_every_field_set() -> None:
    kinds = {k for _, k in inspect.getmembers(values, dataclasses.is_dataclass)}
    assert {type(value) for value in EXAMPLES} == kinds - {Digest}
    for value in EXAMPLES:
        for field in dataclasses.fields(value):
            if field.default_factory is not dataclasses.MISSING:
                assert getattr(value, field.name) != field.default_factory()
            assert getattr(value, field.name) != field.default, f"{kind(value)}.{field.name}"


@pytest.mark.parametrize("value", EXAMPLES, ids=kind)
def test_a_value_survives_json_and_keys_that_a_later_release_added(value: Any) -> None:
    data = json.loads(json.dumps(to_json(value)))
    assert from_json(type(value), data) == value
    assert from_json(type(value), {**data, "later": {"x": 1}}) == value


@pytest.mark.parametrize("value", EXAMPLES, ids=kind)
def test_absent_optional_keys_take_their_defaults(value: Any) -> None:
    data = json.loads(json.dumps(to_json(value)))
    least = {f.name: data[f.name] for f in dataclasses.fields(value) if not optional(f)}
    read = from_json(type(value), least)
    for field in dataclasses.fields(value):
        if not optional(field):
            assert getattr(read, field.name) == getattr(value, field.name)
        elif field.default_factory is not dataclasses.MISSING:
            assert getattr(read, field.name) == field.default_factory()
        else:
            assert getattr(read, field.name) == field.default


def test_unknown_keys_deep_inside_are_ignored_and_absence_stays_none() -> None:
    data = json.loads(json.dumps(to_json(Snapshot(SOURCE, None, "/f", (SourceFile("a", 1),)))))
    data["files"][0]["later"] = data["source"]["later"] = True
    assert from_json(Snapshot, data) == Snapshot(SOURCE, None, "/f", (SourceFile("a", 1),))


def test_json_holds_only_what_json_has() -> None:
    assert to_json({"d": DIGEST, 1: (FILE, None)}) == {
        "d": f"sha256:{'ab' * 32}",
        "1": [
            {"path": FILE.path, "size": 3, "sha256": str(DIGEST), "blob_id": FILE.blob_id},
            None,
        ],
    }


def test_a_digest_is_read_written_shortened_and_ordered() -> None:
    assert Digest.parse(str(DIGEST)) == DIGEST == from_json(Digest, f"sha256:{'ab' * 32}")
    assert DIGEST.short == "abababababab"
    assert Digest("0" * 64) < DIGEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab" * 32,
        "sha256:" + "ab" * 31,
        "sha256:" + "ab" * 33,
        "sha256:" + "AB" * 32,
        "sha512:" + "ab" * 32,
        " sha256:" + "ab" * 32,
        "sha256:" + "ab" * 32 + "\n",
        "sha256:" + "gg" * 32,
    ],
)
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(ReferenceError_, match="it is not sha256: and 64 hex digits"):
        Digest.parse(text)


@pytest.mark.parametrize(
    ("uri", "source", "written"),
    [
        ("hf://org/name", ModelSource("hf", "org/name", "main"), "hf://org/name"),
        ("hf://gpt2", ModelSource("hf", "gpt2", "main"), "hf://gpt2"),
        ("hf://org/name@", ModelSource("hf", "org/name", "main"), "hf://org/name"),
        ("hf://org/na.me-1_x@v1", ModelSource("hf", "org/na.me-1_x", "v1"), "hf://org/na.me-1_x"),
        ("hf://org/name@refs/pr/3", ModelSource("hf", "org/name", "refs/pr/3"), "hf://org/name"),
        ("file:///models/x", ModelSource("file", "/models/x"), "file:///models/x"),
        ("file:///models/x/", ModelSource("file", "/models/x"), "file:///models/x"),
        ("file:///a b@c", ModelSource("file", "/a b@c"), "file:///a b@c"),
        ("file:///", ModelSource("file", "/"), "file:///"),
    ],
)
def test_a_model_uri_names_its_source(uri: str, source: ModelSource, written: str) -> None:
    assert ModelSource.parse(uri) == source
    assert source.uri == written


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "org/name",
        "hf:org/name",
        "hf://",
        "hf://org/",
        "hf:///name",
        "hf://a/b/c",
        "hf://org/na me",
        "hf://..",
        "hf://../name",
        "hf://org/..",
        "hf://org/-name",
        "file://models/x",
        "file:/models/x",
        "file://",
        "https://huggingface.co/org/name",
        "HF://org/name",
    ],
)
def test_a_bad_model_uri_is_refused_with_what_to_write(uri: str) -> None:
    with pytest.raises(ReferenceError_, match="write hf://org/name, hf://org/name@revision or"):
        ModelSource.parse(uri)


def test_only_a_commit_pins_a_source() -> None:
    branch = ModelSource.parse("hf://org/name")
    assert not branch.pinned
    assert not branch.at(COMMIT[:7]).pinned
    assert branch.at(COMMIT) == SOURCE
    assert SOURCE.pinned
    assert branch.at(None) is branch


@pytest.mark.parametrize(
    ("file", "checksum"),
    [
        (FILE, f"git:{'cd' * 20}"),
        (SourceFile("a", 1, DIGEST), str(DIGEST)),
        (SourceFile("a", 1, None, "ef"), "git:ef"),
        (SourceFile("a", 1), None),
    ],
)
def test_a_file_is_named_by_what_its_source_says_on_every_run(
    file: SourceFile, checksum: str | None
) -> None:
    assert file.checksum == checksum
