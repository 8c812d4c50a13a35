import shutil
from pathlib import Path

import pytest

from modelcar import catalog
from modelcar.errors import CatalogError, ReferenceError_
from modelcar.values import FileRules, Model, ModelSource, Serving
from tests.catalog_files import COMMIT, LEAST, faults, write

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, so that faults name files by their relative path."""
    monkeypatch.chdir(tmp_path)


def test_every_field_is_read() -> None:
    path = write(
        f"""\
name: big
source: hf://org/Big
revision: v2
commit: {COMMIT}
version: "1.10"
description: A big one
files: {{include: ["*.json"], exclude: [original/*], allow_pickle: true}}
serving:
  gpus: 4
  cpu: 500m
  memory: 32Gi
  memory_limit: 64Gi
  tensor_parallel_size: 2
  max_model_len: 4096
  args: [--max-num-seqs=4]
  node_selector: {{node.kubernetes.io/instance-type: g6.12xlarge}}
  tolerations: ['team=ml:NoSchedule']
  hardware_profile: apps/l4
  runtime: my-runtime
  route: false
  auth: false
  pull_secret: quay
"""
    )

    assert catalog.load(path) == Model(
        name="big",
        version="1.10",
        source=ModelSource("hf", "org/Big", COMMIT),
        description="A big one",
        rules=FileRules(("*.json",), ("original/*",), True),
        serving=Serving(
            gpus=4,
            cpu="500m",
            memory="32Gi",
            memory_limit="64Gi",
            tensor_parallel_size=2,
            max_model_len=4096,
            args=("--max-num-seqs=4",),
            node_selector={"node.kubernetes.io/instance-type": "g6.12xlarge"},
            tolerations=("team=ml:NoSchedule",),
            hardware_profile="apps/l4",
            runtime="my-runtime",
            route=False,
            auth=False,
            pull_secret="quay",
        ),
    )


def test_absent_and_empty_fields_take_their_defaults() -> None:
    path = write(LEAST + "commit:\nfiles:\nserving:\n  gpus:\n  args:\n")
    assert catalog.load(path) == Model("small", "1.0", ModelSource("hf", "org/Small", "main"))


@pytest.mark.parametrize(
    ("lines", "revision"),
    [
        ("source: hf://org/Small", "main"),
        ("source: hf://org/Small@v1", "v1"),
        ("source: hf://org/Small\nrevision: v2", "v2"),
        (f"source: hf://org/Small\nrevision: v2\ncommit: {COMMIT}", COMMIT),
        (f"source: hf://org/Small@v1\ncommit: {COMMIT}", COMMIT),
        ("source: file:///data/model", ""),
    ],
)
def test_commit_wins_over_revision_and_source(lines: str, revision: str) -> None:
    path = write(f'name: small\nversion: "1"\n{lines}\n')
    assert catalog.load(path).source.revision == revision


@pytest.mark.parametrize(("written", "cpu"), [("4", "4"), ("0.5", "0.5"), ('"4"', "4")])
def test_a_bare_number_of_cpus_is_read_as_kubernetes_does(written: str, cpu: str) -> None:
    path = write(LEAST + f"serving: {{cpu: {written}}}\n")
    assert catalog.load(path).serving.cpu == cpu


def test_all_faults_of_a_file_come_at_once() -> None:
    path = write("name: A\nversion: 2\nsource: x\nserving: {gpus: x, memory: 1TB, foo: 1}\n")
    assert [fault.partition(":")[0] for fault in faults(path)] == [
        "name",
        "source",
        "version",
        "serving.gpus",
        "serving.memory",
        "serving.foo",
    ]


def test_a_fault_is_one_short_line_whatever_the_value() -> None:
    (fault,) = faults(write(LEAST + 'serving: {memory: "' + "x\\n" * 500 + '"}\n'))
    assert "\n" not in fault
    assert len(fault) < 160


def test_a_missing_file_and_a_folder_are_faults() -> None:
    write(LEAST)
    assert faults(Path("models/none.yaml")) == [
        "models/none.yaml: no such file; check the path",
    ]
    (fault,) = faults(Path("models"))
    assert fault == "models: it cannot be read: Is a directory; check its rights"


def test_find_reads_a_name_a_path_or_a_uri() -> None:
    path = write(LEAST, "models/small.yaml")
    by_name = catalog.find("small")
    assert by_name == catalog.find(str(path)) == catalog.load(path)
    assert catalog.find("hf://Qwen/Qwen2.5-0.5B-Instruct@v1") == Model(
        "qwen2-5-0-5b-instruct", "1", ModelSource("hf", "Qwen/Qwen2.5-0.5B-Instruct", "v1")
    )


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("file:///data/My Model_v2/", "my-model-v2"),
        ("file:///", "model"),
        ("hf://01-ai/01-Yi", "model-01-yi"),
        ("hf://gpt2", "gpt2"),
    ],
)
def test_a_uri_gives_a_name_that_kubernetes_takes(uri: str, name: str) -> None:
    assert catalog.find(uri).name == name


def test_find_says_which_model_may_be_meant() -> None:
    write(LEAST, "models/mistral-24b.yaml")
    cases = {
        "mistral-24": "models/mistral-24.yaml: no such model; did you mean mistral-24b?",
        "zzz": "models/zzz.yaml: no such model; known: mistral-24b",
        "org/name": "org/name: no such file; a model of the Hub is hf://org/name",
    }
    for model, fault in cases.items():
        with pytest.raises(CatalogError) as caught:
            catalog.find(model)
        assert caught.value.faults == (fault,)
    with pytest.raises(ReferenceError_, match="s3://bucket"):
        catalog.find("s3://bucket/x")


def test_check_reports_every_file_at_once() -> None:
    paths = [
        write("name: A\nsource: hf://o/m\n", "models/a.yaml"),
        write("mirror: https://quay.io/x\n", "cluster.yaml"),
        write("name: a\n  b: c\n", "models/b.yaml"),
        write(LEAST, "models/good.yaml"),
        write("image: {}\n", "site-lab.yaml"),
        Path("models/none.yaml"),
        write(LEAST, "models/twin.yaml"),
    ]
    with pytest.raises(CatalogError) as caught:
        catalog.check(paths)
    assert str(caught.value).splitlines() == [
        "models/a.yaml: name: 'A' is not a name (a-z, 0-9 and -, at most 53); try a",
        "models/a.yaml: version: it is missing; add it",
        "cluster.yaml: mirror: 'https://quay.io/x' is a URL; write host/namespace, "
        "without https://",
        "models/b.yaml: line 2: it is not YAML: mapping values are not allowed here; "
        "check indentation, quotes and brackets",
        "site-lab.yaml: image: unknown field; did you mean images?",
        "models/none.yaml: no such file; check the path",
        "models/twin.yaml: name: 'small' is the name in models/good.yaml too; choose another",
    ]


def test_the_files_of_this_repository_are_sound(tmp_path: Path) -> None:
    models = sorted((ROOT / "models").glob("*.yaml"))
    catalog.check([*models, ROOT / "site.example.yaml"])
    assert {"mistral-24b", "mistral-24b-quantized"} <= {path.stem for path in models}
    for path in models:
        assert catalog.load(path).name == path.stem
        copy = Path(shutil.copy(path, tmp_path))
        catalog.pin(copy, COMMIT)
        assert catalog.load(copy).source.revision == COMMIT
