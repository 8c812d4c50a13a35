"""Every parser of JSON: a value of its type, or an error of ours; never anything else."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelcar import (
    lease,
    mentions,
    report,
    run_summary,
    safe_json,
    termination,
)
from modelcar.errors import ModelCarError, SourceError
from modelcar.facts import facts
from modelcar.gpu import Need, best
from modelcar.gpu import told as told_fit
from modelcar.gpu_types import INSTANCES
from modelcar.hub import _listing
from modelcar.listing import Listing
from modelcar.model_registry.versions import _created, _registered, _time
from modelcar.model_shape import Shape, shape
from modelcar.oci import image, platform
from modelcar.oci.store import DOCKER_INDEX, INDEX, MANIFEST, RawManifest
from modelcar.records import sound
from modelcar.remote_code import remote_code
from modelcar.safetensors import HeaderReader
from modelcar.serving import answers
from modelcar.values import (
    BuiltImage,
    FileRules,
    ImageFacts,
    KnownLayer,
    ModelSource,
    ModelVersion,
    Plan,
    Serving,
    Snapshot,
    SourceFile,
    StageRecord,
    from_json,
    to_json,
)
from modelcar.weights import choose
from tests.campaigns.extent import examples

PART, WHOLE = 60, 1000
HEX, COMMIT = "a" * 64, "c" * 40
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec=None), max_size=12),
    st.sampled_from([10**400, -(10**400), 1 << 63, "\ud800", "\x1b[2J\n", f"sha256:{HEX}", COMMIT]),
    st.sampled_from(["../x", "", "a" * 5000, "9" * 5000, "linear", "LlamaForCausalLM", "BF16"]),
)
values = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec=None), max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)


def mutations(example: Any) -> st.SearchStrategy[Any]:
    """Return values like `example` in which any part may be another, missing, or one too many."""
    if isinstance(example, dict):
        fields = {key: st.one_of(mutations(value), values) for key, value in example.items()}
        own = st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(
            {key: mutations(value) for key, value in example.items()}
        )
        return st.builds(
            lambda a, b: {**a, **b}, own, st.dictionaries(st.text(max_size=3), values, max_size=1)
        )
    if isinstance(example, list):
        items = [mutations(item) for item in example] or [values]
        return st.lists(st.one_of(*items, values), max_size=4)
    return st.one_of(st.just(example), st.just(example), st.just(example), LEAVES)


LISTING = {
    "sha": COMMIT,
    "siblings": [
        {"rfilename": "config.json", "size": 5, "blobId": COMMIT},
        {"rfilename": "model.safetensors", "size": 600, "lfs": {"sha256": HEX, "size": 600}},
    ],
}
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 64,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "rope_scaling": {"rope_type": "linear", "factor": 2.0, "original_max_position_embeddings": 9},
    "quantization_config": {
        "quant_method": "awq",
        "bits": 4,
        "config_groups": {"a": {"weights": {}}},
    },
    "text_config": {"num_hidden_layers": 2},
    "dtype": "bfloat16",
    "auto_map": {"AutoModel": "modeling.Model"},
    "layer_types": ["full_attention"],
}
MANIFEST_JSON = {
    "mediaType": MANIFEST,
    "config": {"digest": f"sha256:{HEX}", "size": 5},
    "layers": [
        {
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": f"sha256:{HEX}",
            "size": 5,
            "annotations": {image.LAYER_KEY: f"sha256:{HEX}", image.LAYER_TENSORS: '{"BF16":5}'},
        }
    ],
    "manifests": [
        {"digest": f"sha256:{HEX}", "platform": {"os": "linux", "architecture": "amd64"}}
    ],
    "annotations": {
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.licenses": "x",
    },
}
RECORD = {
    "name": "plan",
    "status": "succeeded",
    "started": 1.0,
    "seconds": 2.0,
    "detail": "",
    "error": "",
}
SOURCE = {"kind": "hf", "location": "a/b", "revision": "main"}
RESULTS: dict[str, Any] = {
    "plan": {
        **{"model": "x", "version": "1", "source": SOURCE, "commit": COMMIT, "warnings": ["w"]},
        "files": [{"path": "a", "size": 1}],
        "left_out": [{"path": "b", "size": 1, "reason": "c"}],
        "layers": [{"files": [{"path": "a", "size": 1}], "size": 5}],
        "bytes": {"downloaded": 1, "uploaded": 1, "reused": 1},
    },
    "download": {"source": SOURCE, "commit": COMMIT, "folder": "f", "files": []},
    "build": {
        "image": {"name": "h/x", "digest": f"sha256:{HEX}"},
        "layers": [{"digest": f"sha256:{HEX}", "size": 1, "paths": ["a"]}],
        "bytes": {"uploaded": 1},
        **{"reference": "h/x:1", "seconds": 1.0, "changed": True},
    },
    "register": {
        **{"model": "x", "version": "1", "uri": "oci://x", "registered_model_id": "1"},
        **{"version_id": "2", "artifact_id": "3"},
    },
    "deploy": {"url": "https://x", "path": "p"},
}
POD = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {"workflows.argoproj.io/node-name": "r.root.build.executor(0)"},
    },
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "m",
        "containerStatuses": [
            {
                "name": "main",
                "state": {
                    "terminated": {
                        "exitCode": 1,
                        "reason": "Error",
                        "message": json.dumps(RECORD),
                        "startedAt": "2026-01-01T00:00:00Z",
                        "finishedAt": "2026-01-01T00:00:01Z",
                    }
                },
            }
        ],
    },
}
VERSION = {
    "id": "5",
    "name": "1",
    "state": "LIVE",
    "createTimeSinceEpoch": "1700000000000",
    "customProperties": {"verified_digest": {"string_value": f"sha256:{HEX}"}},
}
STREAMED = {
    "choices": [{"text": "Hi", "delta": {"content": "Hi", "reasoning": None}}],
    "usage": {"completion_tokens": 5},
}
LISTED = {"data": [{"id": "tiny", "embedding": [0.5, 0.5]}]}
ARTIFACT = {"id": "6", "uri": f"oci://h/x@sha256:{HEX}", "modelSourceName": "r"}
tried = settings(max_examples=examples(PART, WHOLE), print_blob=True, deadline=None)


def listing_of(text: str, *paths: str) -> Listing:
    files = [SourceFile(path, 5, None, COMMIT) for path in ("config.json", *paths)]
    return Listing.of("x", files, lambda path: text)


@tried
@given(mutations(LISTING))
def test_a_listing_of_a_hub_gives_files_with_a_size_and_a_checksum(told: Any) -> None:
    from modelcar.hub import _STRANGE

    try:
        found = _listing(ModelSource("hf", "a/b", "main"), told)
    except (*_STRANGE, SourceError):
        return
    assert len(found.commit) == 40
    assert all(0 <= file.size < 1 << 62 and file.checksum for file in found.files)
    try:
        choose("x", found.files, FileRules(), lambda path: "{}")
    except SourceError as error:
        assert len(str(error)) < 5000


@tried
@given(mutations(CONFIG), st.sampled_from([None, *list(INSTANCES.values())[:3]]))
def test_a_config_gives_a_shape_that_can_be_compared_and_facts_in_plain_letters(
    config: Any, node: Any
) -> None:
    text = json.dumps(config)
    told = facts(["config.json"], lambda path: text)
    assert told.quantization.isprintable() and told.architecture.isprintable()
    known = shape(config)
    assert isinstance(known, Shape)
    fit = best(Need(10**12, 10**12, known), Serving(), [node] if node else [])
    assert len(told_fit(fit)) < 50_000
    code, warnings = remote_code(listing_of(text, "modeling.py"), ["config.json", "modeling.py"])
    assert code <= {"modeling.py"}
    assert all(len(warning) < 600 for warning in warnings)


@tried
@given(st.recursive(LEAVES, lambda x: st.lists(x, max_size=2), max_leaves=3), st.integers(1, 1500))
def test_json_is_read_however_deeply_it_is_nested(value: Any, depth: int) -> None:
    text = "[" * depth + json.dumps(value) + "]" * depth
    for content in (text, text.encode(errors="surrogatepass")):
        try:
            safe_json.parse(content)
        except ValueError:
            continue
    try:
        remote_code(listing_of(f'{{"auto_map": {text}}}', "x.py"), ["config.json", "x.py"])
    except SourceError as error:
        assert "config.json is no JSON" in str(error)
    with suppress(ValueError):  # of the parser
        mentions.find("x", safe_json.parse(text))


@tried
@given(mutations(MANIFEST_JSON) | values, st.sampled_from([MANIFEST, INDEX, DOCKER_INDEX, ""]))
def test_a_manifest_gives_facts_and_members_of_their_types(told: Any, kind: str) -> None:
    manifest = RawManifest(kind, json.dumps(told).encode())
    found = image.facts(manifest)
    assert all(isinstance(text, str) for text in (*found.told.values(), found.commit or ""))
    assert isinstance(found.size, int)
    json.dumps(to_json(found))
    for entry in platform.entries(manifest, "layers"):
        noted = entry.get("annotations") if isinstance(entry, dict) else None
        counts = image.tensors(noted if isinstance(noted, dict) else {})
        assert all(0 <= count < 1 << 63 for count in counts.values())
    for where, digest in platform.members(manifest) or ():
        assert len(digest.hex) == 64 and str(where).isprintable()


@tried
@given(mutations({**RECORD, "result": RESULTS["plan"]}) | values)
def test_a_record_is_sound_or_refused_and_is_left_with_the_pod(told: Any) -> None:
    try:
        record = from_json(StageRecord, told)
        sound(record)
    except (ValueError, TypeError):
        return
    assert len(termination._dumped(termination.short(record))) < 2100
    assert termination.read(json.dumps(told)) == (record,)


@settings(max_examples=examples(15, 300), print_blob=True, deadline=None)
@given(
    st.lists(
        st.sampled_from(sorted(RESULTS)).flatmap(
            lambda name: st.tuples(st.just(name), mutations(RESULTS[name]))
        ),
        max_size=5,
    )
)
def test_a_report_is_made_of_whatever_the_records_say(stages: list[tuple[str, Any]]) -> None:
    records = tuple(
        from_json(StageRecord, {**RECORD, "name": name, "result": result})
        for name, result in stages
        if isinstance(result, dict)
    )
    run = run_summary.summary("x", "1", records)
    pages = report.markdown(run), report.html(run)
    for text in pages:
        assert len(text.encode()) < 200_000
        assert "\x1b" not in text
    assert "<script" not in pages[1]


@tried
@given(st.lists(mutations(POD), max_size=3))
def test_the_last_words_of_a_pod_are_records_or_nothing(pods: list[Any]) -> None:
    for pod in pods:
        statuses = (pod.get("status") or {}) if isinstance(pod, dict) else {}
        message = json.dumps(statuses)
        for record in termination.read(message):
            sound(record)


@tried
@given(
    mutations({"metadata": {"annotations": {lease.ANNOTATION: json.dumps({"x 1": "run"})}}}), values
)
def test_a_lease_of_a_stranger_counts_as_nobody_s(pvc: Any, value: Any) -> None:
    text = json.dumps(value)
    claim = {"metadata": {"annotations": {lease.ANNOTATION: text}}}
    assert all(isinstance(run, str) for run in lease._holders(claim).values())


@tried
@given(mutations(LISTED) | values, st.lists(mutations(STREAMED) | values, max_size=3))
def test_what_an_endpoint_answers_gives_names_numbers_and_words(told: Any, said: list[Any]) -> None:
    body = json.dumps(told).encode()
    with suppress(ValueError):
        assert all(isinstance(name, str) for name in answers.models(body))
    with suppress(ValueError):
        assert answers.dimensions(body) > 0
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n" for event in said)
    with suppress(ValueError):
        for event in answers.events([stream[:7], stream[7:]]):
            assert isinstance(event.word, str | None) and isinstance(event.error, str)
            assert event.tokens is None or event.tokens >= 0


@tried
@given(mutations(VERSION), mutations(ARTIFACT), st.lists(mutations(ARTIFACT), max_size=2))
def test_a_version_of_a_model_registry_becomes_a_line(
    version: Any, artifact: Any, more: Any
) -> None:
    if not isinstance(version.get("id"), str):
        return  # refused before
    found = _registered(version, artifact, more)
    assert isinstance(_created(version), int)
    assert isinstance(_time(_created(version)), str)
    texts = (found.name, found.state, found.uri, found.created, found.run, found.verified)
    assert all(isinstance(text, str) for text in texts)


@tried
@given(
    st.dictionaries(
        st.text(max_size=3), mutations({"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]})
    )
)
def test_a_header_of_safetensors_is_right_or_refused(header: dict[str, Any]) -> None:
    text = json.dumps(header).encode()
    reader = HeaderReader("x", 8 + len(text) + 4)
    try:
        reader.update(len(text).to_bytes(8, "little") + text)
        reader.finish()
    except ModelCarError as error:
        assert len(str(error)) < 2000
    else:
        assert all(0 <= count < 1 << 64 for count in reader.tensors.values())


KINDS = (Plan, Snapshot, BuiltImage, ModelVersion, ImageFacts, KnownLayer, StageRecord)


@tried
@given(st.sampled_from(KINDS), values)
def test_what_is_no_value_of_ours_is_refused_in_known_ways(kind: Any, told: Any) -> None:
    with suppress(TypeError, ValueError, ModelCarError):
        from_json(kind, told)
