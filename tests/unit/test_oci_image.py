import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from modelcar.oci import layer
from modelcar.oci.image import (
    LAYER_KEY,
    LAYER_TENSORS,
    Base,
    Descriptor,
    Image,
    assemble,
    describe,
    index,
    model_layer,
    tensors,
)
from modelcar.oci.platform import Platform
from modelcar.oci.store import CONFIG, INDEX, LAYER, MANIFEST, RawManifest
from modelcar.values import Digest, KnownLayer, ModelFacts, ModelSource, SourceFile

GOLDEN = Digest("3ccf1a7891817da4a59cd0763675af68db0448b0418ac9987e1ffd0f7f793a1e")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = ModelSource("hf", "org/name", "main")
FOLDER = ModelSource("file", "/a")
FACTS = ModelFacts("apache-2.0", "", "LlamaForCausalLM")
BIG = SourceFile("sub/model.safetensors", 5, Digest("ab" * 32))
SMALL = (
    SourceFile("config.json", 2, Digest("11" * 32), "ef" * 20),
    SourceFile("tokenizer.json", 3, Digest("22" * 32), "fe" * 20),
)
NO_TENSORS, TENSORS = (
    KnownLayer(Digest("bb" * 32)),
    KnownLayer(Digest("cc" * 32), {"F32": 12, "BF16": 494032768}),
)
LAYERS = (model_layer(SMALL, NO_TENSORS), model_layer([BIG], TENSORS))
BASE = Base(
    layers=(Descriptor(f"{LAYER}+gzip", Digest("dd" * 32), 7, Digest("ee" * 32)),),
    platform=Platform("linux", "arm64", "v8"),
    env=("PATH=/bin",),
    annotations={"org.opencontainers.image.base.digest": "sha256:1"},
)
SAID = {
    "org.opencontainers.image.base.digest": "sha256:1",
    "org.opencontainers.image.source": "hf://org/name",
    "org.opencontainers.image.revision": COMMIT,
    "org.opencontainers.image.licenses": "apache-2.0",
    "org.opencontainers.image.title": "name",
    "io.modelcar-pipelines.model.parameters": "494032780",
    "io.modelcar-pipelines.model.dtypes": "BF16=494032768,F32=12",
    "io.modelcar-pipelines.model.architecture": "LlamaForCausalLM",
}


def image(
    base: Base = BASE,
    layers: Sequence[Descriptor] = LAYERS,
    source: ModelSource = SOURCE,
    commit: str | None = COMMIT,
    facts: ModelFacts = FACTS,
) -> Image:
    return assemble(base, layers, source, commit, facts)


def read(made: RawManifest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.content)
    return found


def test_the_same_input_gives_the_same_bytes_on_any_day() -> None:
    # A change here gives every model a new digest.
    assert image() == image()
    assert image().manifest.digest == GOLDEN


@pytest.mark.parametrize(
    "other",
    [
        image(base=replace(BASE, env=("PATH=/sbin",))),
        image(base=Base()),
        image(base=replace(BASE, platform=Platform("linux", "arm64"))),
        image(layers=LAYERS[::-1]),
        image(source=ModelSource("hf", "org/other", "main")),
        image(commit="f" * 40),
        image(facts=replace(FACTS, license="mit")),
    ],
)
def test_another_input_gives_another_digest(other: Image) -> None:
    assert other.manifest.digest != image().manifest.digest


def test_the_revisions_name_and_a_folders_path_do_not_enter() -> None:
    assert image(source=SOURCE.at("v1")) == image()
    other = ModelSource("file", "/b")
    assert image(source=FOLDER, commit=None) == image(source=other, commit=None)


def test_the_config_holds_no_clock_no_history_and_no_entry_point() -> None:
    assert json.loads(image().config) == {
        "architecture": "arm64",
        "os": "linux",
        "variant": "v8",
        "config": {"Env": ["PATH=/bin"], "Labels": SAID},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{n * 32}" for n in ("ee", "bb", "cc")]},
    }


def test_a_config_of_nothing_known_has_no_settings() -> None:
    assert json.loads(assemble(Base(), [], FOLDER, None).config) == {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
    }


def test_the_manifest_names_config_and_layers_base_first() -> None:
    manifest = read(image().manifest)
    assert manifest["mediaType"] == image().manifest.media_type == MANIFEST
    assert manifest["config"] == {
        "mediaType": CONFIG,
        "digest": f"sha256:{hashlib.sha256(image().config).hexdigest()}",
        "size": len(image().config),
    }
    found = [(item["mediaType"], item["digest"], item["size"]) for item in manifest["layers"]]
    assert found == [
        (f"{LAYER}+gzip", f"sha256:{'dd' * 32}", 7),
        (LAYER, f"sha256:{'bb' * 32}", layer.size(SMALL)),
        (LAYER, f"sha256:{'cc' * 32}", layer.size([BIG])),
    ]


def test_the_manifest_says_what_the_model_is_and_where_it_is_from() -> None:
    assert read(image().manifest)["annotations"] == SAID


def test_a_folder_has_no_origin_but_says_what_the_model_is() -> None:
    origin = {f"org.opencontainers.image.{name}" for name in ("source", "revision", "title")}
    found = read(image(source=FOLDER, commit=None).manifest)["annotations"]
    assert found == {key: SAID[key] for key in SAID.keys() - origin}


def test_what_is_not_known_is_not_said() -> None:
    assert describe([], FOLDER, None, ModelFacts()) == {}
    assert describe(LAYERS[:1], SOURCE, None, ModelFacts()) == {
        "org.opencontainers.image.source": "hf://org/name",
        "org.opencontainers.image.title": "name",
    }


def test_a_repository_without_an_owner_is_its_own_title() -> None:
    found = describe([], ModelSource("hf", "gpt2", "main"), None, ModelFacts())
    assert found["org.opencontainers.image.title"] == "gpt2"


def test_the_elements_of_every_layer_are_summed_by_dtype() -> None:
    twice = [LAYERS[1], model_layer([BIG], KnownLayer(Digest("ff" * 32), {"F32": 1, "I8": 2}))]
    found = describe(twice, FOLDER, None, ModelFacts(quantization="awq 4-bit"))
    assert found["io.modelcar-pipelines.model.dtypes"] == "BF16=494032768,F32=13,I8=2"
    assert found["io.modelcar-pipelines.model.quantization"] == "awq 4-bit"


def test_a_layer_of_one_file_says_which_as_olot_does() -> None:
    assert dict(LAYERS[1].annotations) == {
        LAYER_KEY: str(layer.key([BIG])),
        LAYER_TENSORS: '{"BF16":494032768,"F32":12}',
        "org.opencontainers.image.title": "sub/model.safetensors",
        "olot.layer.content.name": "model.safetensors",
        "olot.layer.content.type": "file",
        "olot.layer.content.inlayerpath": "/models/sub/model.safetensors",
        "olot.layer.content.digest": f"sha256:{'ab' * 32}",
    }
    assert dict(LAYERS[0].annotations) == {LAYER_KEY: str(layer.key(SMALL))}


def test_a_layers_annotations_do_not_tell_whether_its_file_was_read_in_this_run() -> None:
    found = SMALL[0]
    listed = replace(found, sha256=None)
    assert model_layer([listed], NO_TENSORS) == model_layer([found], NO_TENSORS)


def test_a_layers_tensors_are_read_back_as_they_were_written() -> None:
    assert tensors(LAYERS[1].annotations) == TENSORS.tensors
    assert tensors(LAYERS[0].annotations) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"F32": -1}',
        '{"F32": true}',
        '{"F32": 1.0}',
        '{"F32": "1"}',
        '{"F32": 9223372036854775808}',
        '{"F32": 1' + "0" * 5000 + "}",
        '{"F32": NaN}',
        '{"f32": 1}',
        '{"F32\\n": 1}',
        '{"": 1}',
        json.dumps({f"F{number}": 1 for number in range(33)}),
        7,
        None,
        {"F32": 1},
    ],
)
def test_what_is_no_count_of_tensors_counts_as_none(text: Any) -> None:
    assert tensors({LAYER_TENSORS: text}) == {}


# The index.

MEMBERS = tuple(
    (platform, image(base=Base(platform=platform)))
    for platform in (Platform("linux", "arm64", "v8"), Platform("linux", "amd64"))
)


def entry(platform: Mapping[str, str], member: Image) -> dict[str, Any]:
    return {
        "mediaType": MANIFEST,
        "digest": str(member.manifest.digest),
        "size": len(member.manifest.content),
        "platform": platform,
    }


def test_an_index_names_each_platforms_image_in_the_order_asked_for() -> None:
    made = index(MEMBERS, SAID)
    assert made.media_type == INDEX
    assert read(made) == {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [
            entry({"os": "linux", "architecture": "arm64", "variant": "v8"}, MEMBERS[0][1]),
            entry({"os": "linux", "architecture": "amd64"}, MEMBERS[1][1]),
        ],
        "annotations": SAID,
    }


def test_an_index_follows_from_its_members_their_order_and_its_annotations() -> None:
    same = index(list(MEMBERS), dict(reversed(SAID.items())))
    assert index(MEMBERS, SAID) == same
    others = index(MEMBERS[::-1], SAID), index(MEMBERS[:1], SAID), index(MEMBERS, {})
    assert len({same.digest, *(other.digest for other in others)}) == 4
