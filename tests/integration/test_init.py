"""`modelcar init`: a catalog file from what a Hub lists, which `check` and `plan` take."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from modelcar import catalog, new_entry, schemas
from modelcar.hub import Hub
from modelcar.names import model_of
from modelcar.proposal import kinds
from modelcar.values import FileRules
from modelcar.workfolder import WorkFolder
from tests.byte_path import REPO, below, modelcar, refused, tiny, told
from tests.servers.hub import HubServer
from tests.serving_models import CONFIG

URI = f"hf://{REPO}"
LLAMA = {**CONFIG, "architectures": ["LlamaForCausalLM"]}
QUANTIZED = {"quantization_config": {"quant_method": "awq", "bits": 4}}
INSTANCE = "node.kubernetes.io/instance-type"


def shards(count: int, size: int) -> dict[str, Any]:
    names = [f"model-{n:05}-of-{count:05}.safetensors" for n in range(1, count + 1)]
    index = {"weight_map": {f"w{n}": name for n, name in enumerate(names)}}
    held = dict.fromkeys(names, size)
    return {"model.safetensors.index.json": json.dumps(index).encode(), **held}


def repository(config: dict[str, Any], weights: dict[str, Any], card: str = "") -> dict[str, Any]:
    files: dict[str, Any] = tiny(config=json.dumps(config).encode())
    del files["model.safetensors"], files["pytorch_model.bin"]
    if card:
        files["README.md"] = f"---\n{card}\n---\n".encode()
    return {**files, **weights}


BF16 = repository(LLAMA, shards(10, 4_700_000_000))
AWQ = repository({**LLAMA, **QUANTIZED}, shards(3, 4_700_000_000))
BERT = repository(
    {"architectures": ["BertModel"], "torch_dtype": "float32"},
    {"model.safetensors": 90_000_000},
    "license: mit\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity",
)


@pytest.mark.parametrize(
    ("files", "node", "gpus", "args", "description"),
    [
        (BF16, "g6.12xlarge", 4, (), "tiny, text-generation, license apache-2.0"),
        (AWQ, "g6.2xlarge", 1, (), "tiny, text-generation, awq 4-bit, license apache-2.0"),
        (BERT, "g4dn.xlarge", 1, ("--runner=pooling",), "tiny, sentence-similarity, license mit"),
    ],
    ids=["sharded", "quantized", "embedding"],
)
def test_the_file_passes_check_and_plan_as_it_stands(
    tmp_path: Path,
    files: dict[str, Any],
    node: str,
    gpus: int,
    args: tuple[str, ...],
    description: str,
) -> None:
    with HubServer({REPO: files}) as hub:
        done = modelcar(tmp_path, "init", URI, HF_ENDPOINT=hub.url)
        checked = modelcar(tmp_path, "check")
        made = told(modelcar(tmp_path, "plan", "tiny", "--json", HF_ENDPOINT=hub.url))
        commit = hub.commit(REPO)
        asked = [seen.target for seen in hub.requests]

    assert (done.returncode, done.stdout) == (0, "models/tiny.yaml\n"), done.stderr
    assert (checked.returncode, checked.stderr) == (0, "")
    assert made["commit"] == commit
    assert made["fit"]["verdict"] == ("unknown" if files is BERT else "fits")
    assert not [target for target in asked if ".safetensors" in target and "index" not in target]
    assert set(below(tmp_path)) == {"models/tiny.yaml", "models/schema.json"}
    assert (tmp_path / "models/schema.json").read_text() == schemas.text("catalog")

    text = (tmp_path / "models/tiny.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert "revision: main\n" in text
    model = catalog.load(tmp_path / "models/tiny.yaml")
    assert (model.source.revision, model.version) == (commit, "1.0")
    assert model.description == description
    assert dict(model.serving.node_selector) == {INSTANCE: node}
    assert (model.serving.gpus, model.serving.args) == (gpus, args)
    assert "serving.gpus: " in done.stderr
    assert node in done.stderr


def test_options_choose_name_version_nodes_and_place(tmp_path: Path) -> None:
    options = ["--name", "other", "--version", "2", "--gpu", "H100", "--max-model-len", "2048"]
    with HubServer({REPO: BF16}) as hub:
        done = modelcar(tmp_path, "init", URI, *options, "--out", "a/b.yaml", HF_ENDPOINT=hub.url)

    assert done.stdout == "a/b.yaml\n", done.stderr
    model = catalog.load(tmp_path / "a/b.yaml")
    assert (model.name, model.version) == ("other", "2")
    assert dict(model.serving.node_selector) == {INSTANCE: "p5.48xlarge"}
    assert (model.serving.gpus, model.serving.max_model_len) == (1, 2048)


def test_the_file_as_text_and_as_scripts_read_it(tmp_path: Path) -> None:
    with HubServer({REPO: BF16}) as hub:
        text = modelcar(tmp_path, "init", URI, "--out", "-", HF_ENDPOINT=hub.url)
        made = told(modelcar(tmp_path, "init", URI, "--out", "-", "--json", HF_ENDPOINT=hub.url))
        commit = hub.commit(REPO)

    assert below(tmp_path) == {}
    assert text.stdout == made["text"]
    assert (made["file"], made["commit"], made["holds"]) == ("-", commit, True)
    assert made["serving"]["gpus"] == 4
    (tmp_path / "x.yaml").write_text(text.stdout)
    assert catalog.load(tmp_path / "x.yaml").name == "tiny"


def test_what_is_there_is_not_written_over_unless_forced(tmp_path: Path) -> None:
    place = tmp_path / "models/tiny.yaml"
    place.parent.mkdir()
    place.write_text("mine\n")
    (tmp_path / "models/schema.json").write_text("{}")
    with HubServer({REPO: BF16}) as hub:
        done = modelcar(tmp_path, "init", URI, HF_ENDPOINT=hub.url)
        refused(done, "models/tiny.yaml: the file exists", "--force", code=2)
        assert hub.requests == []
        forced = modelcar(tmp_path, "init", URI, "--force", HF_ENDPOINT=hub.url)

    assert forced.returncode == 0, forced.stderr
    assert catalog.load(place).name == "tiny"
    assert (tmp_path / "models/schema.json").read_text() == "{}"
    assert "models/schema.json is not this release's schema" in forced.stderr


def test_a_name_that_another_file_has_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "models/a.yaml"
    other.parent.mkdir()
    other.write_text('name: tiny\nsource: hf://o/n\nversion: "1"\n')
    (tmp_path / "models/broken.yaml").write_text("[")
    with HubServer({REPO: BF16}) as hub:
        done = modelcar(tmp_path, "init", URI, HF_ENDPOINT=hub.url)
        refused(done, "models/a.yaml has the name tiny", "--name", code=2)
        named = modelcar(tmp_path, "init", URI, "--name", "tiny-2", HF_ENDPOINT=hub.url)
    assert named.stdout == "models/tiny-2.yaml\n"


def test_pickles_are_taken_only_where_that_is_asked_for(tmp_path: Path) -> None:
    pickle = repository(LLAMA, {"pytorch_model.bin": 9_000_000_000})
    with HubServer({REPO: pickle, "example/safe": BF16}) as hub:
        refused(modelcar(tmp_path, "init", URI, HF_ENDPOINT=hub.url), "pickle", "--allow-pickle")
        assert below(tmp_path) == {}
        for uri in (URI, "hf://example/safe"):
            done = modelcar(tmp_path, "init", uri, "--allow-pickle", HF_ENDPOINT=hub.url)
            assert done.returncode == 0, done.stderr
        assert modelcar(tmp_path, "plan", "tiny", HF_ENDPOINT=hub.url).returncode == 0

    assert catalog.load(tmp_path / "models/tiny.yaml").rules == FileRules(allow_pickle=True)
    assert "# Here: it has no other weights" in (tmp_path / "models/tiny.yaml").read_text()
    assert catalog.load(tmp_path / "models/safe.yaml").rules == FileRules()


def test_a_gated_model_says_what_to_do(tmp_path: Path) -> None:
    with HubServer({REPO: BF16}, gated=[REPO]) as hub:
        done = modelcar(tmp_path, "init", URI, HF_ENDPOINT=hub.url)
    refused(done, "the repository is gated", "accept its terms", "HF_TOKEN")
    assert below(tmp_path) == {}


def test_a_model_that_fits_nowhere_is_written_with_the_reason(tmp_path: Path) -> None:
    with HubServer({REPO: repository(LLAMA, shards(400, 4_700_000_000))}) as hub:
        done = modelcar(tmp_path, "init", URI, HF_ENDPOINT=hub.url)
        planned = modelcar(tmp_path, "plan", "tiny", HF_ENDPOINT=hub.url)

    assert done.returncode == planned.returncode == 0, done.stderr
    assert "tiny: does not fit on 8 x H200" in done.stderr
    text = (tmp_path / "models/tiny.yaml").read_text()
    assert "# Here: it fits on no node that was tried" in text
    assert dict(catalog.load(tmp_path / "models/tiny.yaml").serving.node_selector) == {}


@pytest.mark.parametrize("name", ["X\x1b[2J", "X\x85commit: 5", "X\u2028y", "#: {["])
def test_no_text_of_the_hub_makes_another_file_of_it(tmp_path: Path, name: str) -> None:
    files = repository({**LLAMA, "architectures": [name]}, {"model.safetensors": 9_000_000_000})
    with HubServer({REPO: files}) as hub:
        done = modelcar(tmp_path, "init", URI, HF_ENDPOINT=hub.url)
        planned = modelcar(tmp_path, "plan", "tiny", HF_ENDPOINT=hub.url)

    assert done.returncode == planned.returncode == 0, done.stderr + planned.stderr
    assert modelcar(tmp_path, "check").returncode == 0
    assert "\x1b[2J" not in done.stderr + planned.stdout
    assert "unknown on 1 x L4 (g6.2xlarge): the KV cache of architecture" in done.stderr


def test_a_model_of_another_design_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = {**LLAMA, "attention_chunk_size": 8192, "max_position_embeddings": 10_485_760}
    with HubServer({REPO: repository(config, shards(3, 4_700_000_000))}) as hub:
        where = tmp_path / "tiny.yaml", kinds()
        entry = new_entry.make(model_of(URI), *where, 0, WorkFolder(tmp_path), Hub(hub.url))
    new_entry.say(entry)

    assert "\n  max_model_len: 8192\n" in entry.text
    (warned,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert warned.getMessage().startswith("tiny: unknown on 1 x L4 (g6.2xlarge): the KV cache of")


def test_a_file_that_comes_while_the_hub_is_read_is_not_written_over(tmp_path: Path) -> None:
    place = tmp_path / "models/tiny.yaml"
    place.parent.mkdir()

    def come(content: bytes) -> bytes:
        place.write_text("mine\n")
        return content

    with HubServer({REPO: BF16}) as hub:
        hub.corrupt("config.json", come)
        done = modelcar(tmp_path, "init", URI, HF_ENDPOINT=hub.url)
        refused(done, "writing models/tiny.yaml: the file exists", "--force", code=2)
        assert place.read_text() == "mine\n"
        forced = modelcar(tmp_path, "init", URI, "--force", HF_ENDPOINT=hub.url)

    assert forced.returncode == 0, forced.stderr
    assert catalog.load(place).name == "tiny"


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        ([REPO], (f"write {URI}",)),
        (["tiny"], ("write hf://org/name",)),
        ([URI, "--name", "Tiny"], ("'Tiny' is not a name", "try tiny")),
        ([URI, "--name", "Tiny", "--out", "-"], ("'Tiny' is not a name", "try tiny")),
        ([URI, "--version", "1 0"], ("'1 0' cannot stand in an image tag",)),
        ([URI, "--gpu", "B200"], ("--gpu B200", "name one of T4")),
        ([URI, "--gpu", "L4", "--instance-type", "g5.xlarge"], ("g5.xlarge has A10G, not L4",)),
        ([URI, "--include", ""], ("files.include[0]: it holds an empty text; remove it",)),
        ([URI, "--exclude", " "], ("files.exclude[0]: it holds an empty text; remove it",)),
        ([URI, "--out", "file/x.yaml"], ("writing file/x.yaml", "--out")),
    ],
    ids=[
        "no URI",
        "a name",
        "name",
        "printed",
        "version",
        "GPU",
        "both",
        "include",
        "exclude",
        "place",
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, argv: list[str], parts: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    with HubServer({REPO: BF16}) as hub:
        refused(modelcar(tmp_path, "init", *argv, HF_ENDPOINT=hub.url), *parts, code=2)


def test_a_folder_of_this_machine_has_no_commit(tmp_path: Path) -> None:
    for path, content in tiny().items():
        (tmp_path / "local" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "local" / path).write_bytes(content)
    uri = f"file://{tmp_path}/local"
    done = modelcar(tmp_path, "init", uri)

    assert done.stdout == "models/local.yaml\n", done.stderr
    assert catalog.load(tmp_path / "models/local.yaml").source.uri == uri
    assert modelcar(tmp_path, "plan", "local").returncode == 0
