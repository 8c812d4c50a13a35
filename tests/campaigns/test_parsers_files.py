"""Every parser of a file: a value of its type, or an error of ours that names the file."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcar import catalog, faults, journal, run_summary
from modelcar.entry import Entry
from modelcar.errors import CatalogError, ModelCarError
from modelcar.kept_upload import KeptUpload
from modelcar.oci import auth, base
from modelcar.oci.layout import OciLayout
from modelcar.oci.reference import Layout, Repository, TagReference
from modelcar.pushed import PushedImages
from modelcar.site import SiteFile
from modelcar.stamps import CheckedFiles, Stamp, Sums
from modelcar.values import Digest
from modelcar.workfolder import KnownLayers
from tests.campaigns.extent import examples
from tests.campaigns.test_parsers_json import HEX, MANIFEST_JSON, mutations, values

tried = settings(max_examples=examples(60, 1000), print_blob=True, deadline=None)
ENTRY = {
    "name": "x",
    "source": "hf://org/x",
    "revision": "main",
    "version": "1",
    "description": "d",
    "files": {"include": ["*.json"], "exclude": [], "allow_pickle": False},
    "serving": {
        **{"gpus": 1, "cpu": "4", "memory": "16Gi", "memory_limit": "", "max_model_len": 4096},
        **{
            "args": ["--dtype=half"],
            "node_selector": {"a/b": "c"},
            "tolerations": ["a=b:NoExecute"],
        },
        **{"hardware_profile": "n/p", "runtime": "r", "route": True, "tensor_parallel_size": 1},
    },
}
SITE = {
    **{"oci_registry": "quay.io/a", "mirror": "", "model_registry": "https://h", "namespace": "n"},
    **{"hub": "https://h", "pvc": "p", "platforms": ["linux/amd64"], "chunk_size": "100Mi"},
    **{"images": {"base": "quay.io/a/b:1", "python": "quay.io/a/b:1"}, "max_layer_size": "20G"},
}
ROW = {
    **{"path": "/a", "stamp": [1, 2, 3], "sha256": f"sha256:{HEX}", "blob_id": "b"},
    **{"key": f"sha256:{HEX}", "digest": f"sha256:{HEX}", "tensors": {"BF16": 5}},
    **{"location": "h/x", "tag": "1", "at": 1.0},
}
AUTHS = {
    "auths": {"h.x/a": {"auth": base64.b64encode(b"u:p").decode(), "username": "u"}, "h.x": {}},
    "credHelpers": {"h.x": "helper"},
    "credsStore": "store",
}
INDEX_JSON = {
    "schemaVersion": 2,
    "manifests": [
        {
            "digest": f"sha256:{HEX}",
            "mediaType": "m",
            "annotations": {"org.opencontainers.image.ref.name": "1"},
        }
    ],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def yaml_like() -> st.SearchStrategy[bytes]:
    """Return YAML of right and wrong fields, as JSON, which it is too, and text of its marks."""
    marks = ["- ", ": ", "\n", "  ", "? ", "&a ", "*a", "!!str ", "|", ">", "'", '"', "#", "{", "}"]
    more = ["[", "]", ",", "---\n", "%YAML 1.1\n", "name", "x", "1", "\t", "\x85", "\ud83d", "~"]
    text = st.lists(st.sampled_from(marks + more), max_size=30).map("".join)
    return (
        mutations(ENTRY).map(dumped)
        | mutations(SITE).map(dumped)
        | text.map(lambda found: found.encode(errors="replace"))
        | st.binary(max_size=100)
    )


@tried
@given(yaml_like())
def test_a_catalog_or_site_file_is_right_or_has_faults_of_one_line_each(
    place: Path, content: bytes
) -> None:
    path = place / "x.yaml"
    path.write_bytes(content)
    try:
        document = faults.read(path)
    except CatalogError as error:
        hold_lines(path, error)
        return
    for schema in (Entry, SiteFile):
        try:
            document.validate(schema)
        except CatalogError as error:
            hold_lines(path, error)
    try:
        catalog.check([path])
    except CatalogError as error:
        hold_lines(path, error)


def hold_lines(path: Path, error: CatalogError) -> None:
    for fault in error.faults:
        assert fault.startswith(f"{path}: ")
        assert "\n" not in fault, fault
        assert len(fault) < 1500


@tried
@given(st.lists(mutations(ROW) | values, max_size=4), st.binary(max_size=20))
def test_a_journal_of_strange_rows_only_forgets(place: Path, rows: list[Any], rest: bytes) -> None:
    path = place / "rows.jsonl"
    path.write_bytes(b"".join(dumped(row) + b"\n" for row in rows) + rest)
    assert all(isinstance(row, dict) for row in journal.rows(path))
    checked, layers, pushed = CheckedFiles(path), KnownLayers(path), PushedImages(path)
    sums = checked.get(path)
    assert sums is None or len(sums.sha256.hex) == 64
    known = layers.get(Digest(HEX))
    assert known is None or all(type(count) is int for count in known.tensors.values())
    assert all(len(digest.hex) == 64 for digest in pushed.digests("h/x"))
    at = pushed.when("h/x", Digest(HEX))
    assert at is None or 0 <= at < 1e11
    checked.put(path, Stamp.of(path), checked.get(path) or Sums(Digest(HEX)))


@tried
@given(st.binary(max_size=60) | values.map(dumped))
def test_an_upload_that_was_kept_is_an_address_or_nothing(place: Path, content: bytes) -> None:
    path = place / "upload"
    path.write_bytes(content)
    kept = KeptUpload(path)
    assert isinstance(kept.get(), str)
    kept.close()


@tried
@given(mutations(AUTHS).map(dumped) | values.map(dumped) | st.binary(max_size=60))
def test_an_auth_file_gives_a_login_or_an_error_that_does_not_quote_it(
    place: Path, content: bytes
) -> None:
    path = place / "auth.json"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGISTRY_AUTH_FILE", str(path))
        try:
            found = auth.find(Repository("h.x", "a/b"))
        except ModelCarError as error:
            assert str(path) in str(error)
        else:
            assert found is None or isinstance(found.password, str)


@tried
@given(mutations(INDEX_JSON).map(dumped) | values.map(dumped) | st.binary(max_size=60))
def test_an_index_of_a_layout_gives_tags_and_manifests_or_an_error_of_ours(
    place: Path, content: bytes
) -> None:
    folder = place / "layout"
    folder.mkdir(exist_ok=True)
    (folder / "index.json").write_bytes(content)
    store = OciLayout(Layout(folder))
    try:
        assert all(isinstance(tag, str) for tag in store.tags())
        store.manifest("1")
        store.manifest(Digest(HEX))
    except ModelCarError as error:
        assert str(folder) in str(error)


@tried
@given(mutations(MANIFEST_JSON), values, st.booleans())
def test_a_base_in_a_layout_is_whole_or_refused(
    place: Path, manifest: Any, config: Any, planned: bool
) -> None:
    folder = place / "base"
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    settings_of = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"diff_ids": [f"sha256:{HEX}"]},
    }
    held = dumped({**settings_of, "config": config} if planned else config)
    named = {"digest": f"sha256:{hashlib.sha256(held).hexdigest()}"}
    content = dumped({**manifest, "config": named} if planned else manifest)
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    (blobs / named["digest"].removeprefix("sha256:")).write_bytes(held)
    entry = {**INDEX_JSON["manifests"][0], "digest": f"sha256:{digest}"}  # type: ignore[index]
    (folder / "index.json").write_bytes(dumped({"manifests": [entry]}))
    reference = TagReference(Layout(folder), "1")
    try:
        found = base.load(OciLayout(Layout(folder)), reference)
        base.platforms(OciLayout(Layout(folder)), reference)
    except ModelCarError:
        return
    assert all(isinstance(text, str) for text in found.env)
    assert all(0 <= layer.size < 1 << 63 for layer in found.layers)


@tried
@given(st.lists(values.map(dumped) | st.binary(max_size=40), max_size=3))
def test_records_of_a_run_are_read_whole_or_as_failed(place: Path, contents: list[bytes]) -> None:
    folder = place / "records" / "run"
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents, 1):
        (folder / f"{number:02d}-plan.json").write_bytes(content)
    stages = run_summary.read(place, "run")
    assert run_summary.summary("x", "1", stages).status in ("failed", "succeeded", "running")
