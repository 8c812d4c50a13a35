import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from modelcar import catalog
from modelcar.errors import CatalogError, ReferenceError_
from modelcar.values import FileRules, Model, ModelSource, Serving

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LEAST = 'name: small\nsource: hf://org/Small\nversion: "1.0"\n'
SCHEMA_FIELDS = "name, source, revision, commit, version, description, files, serving"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file below the current folder, so that faults name it by its relative path."""
    monkeypatch.chdir(tmp_path)

    def at(text: str | bytes, name: str = "models/x.yaml") -> Path:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return at


def faults(path: Path) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        catalog.load(path)
    return [fault.removeprefix("models/x.yaml: ") for fault in caught.value.faults]


def test_every_field_is_read(write: Write) -> None:
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
            runtime="my-runtime",
            route=False,
            auth=False,
            pull_secret="quay",
        ),
    )


def test_absent_and_empty_fields_take_their_defaults(write: Write) -> None:
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
def test_commit_wins_over_revision_and_source(write: Write, lines: str, revision: str) -> None:
    path = write(f'name: small\nversion: "1"\n{lines}\n')
    assert catalog.load(path).source.revision == revision


@pytest.mark.parametrize(("written", "cpu"), [("4", "4"), ("0.5", "0.5"), ('"4"', "4")])
def test_a_bare_number_of_cpus_is_read_as_kubernetes_does(
    write: Write, written: str, cpu: str
) -> None:
    path = write(LEAST + f"serving: {{cpu: {written}}}\n")
    assert catalog.load(path).serving.cpu == cpu


FIELD_FAULTS = [
    ("serving: {memory: 48GB}", "serving.memory: '48GB' is not a quantity; try 48Gi"),
    ("serving: {memory: 48 gib}", "serving.memory: '48 gib' is not a quantity; try 48Gi"),
    ("serving: {memory: 512mb}", "serving.memory: '512mb' is not a quantity; try 512Mi"),
    ("serving: {memory: lots}", "serving.memory: 'lots' is not a quantity; try 16Gi"),
    ("serving: {memory: -1Gi}", "serving.memory: '-1Gi' is not a quantity; try 16Gi"),
    (
        "serving: {memory: 32}",
        "serving.memory: '32' is a quantity of bytes, below 1Mi; try 32Gi",
    ),
    (
        "serving: {memory: 500m}",
        "serving.memory: '500m' is a quantity of bytes, below 1Mi; try 16Gi",
    ),
    ("serving: {memory: true}", 'serving.memory: true is not text to YAML; quote it: "true"'),
    (
        "serving: {memory: 32Gi, memory_limit: 16Gi}",
        "serving.memory_limit: '16Gi' is less than memory (32Gi); raise it to 32Gi",
    ),
    (
        "serving: {memory_limit: 64GB}",
        "serving.memory_limit: '64GB' is not a quantity; try 64Gi",
    ),
    ("serving: {cpu: 4 cores}", "serving.cpu: '4 cores' is not a quantity of CPUs; try 4 or 500m"),
    ("serving: {cpu: 0}", "serving.cpu: '0' is not a quantity of CPUs; try 4 or 500m"),
    (
        "serving: {tensor_parallel_size: 2}",
        "serving.tensor_parallel_size: 2 is more than gpus (1); lower it, or raise gpus",
    ),
    ("serving: {gpus: -1}", "serving.gpus: -1 is too small; write 0 or more"),
    (
        'serving: {gpus: "1"}',
        "serving.gpus: '1' is not a whole number; write one without quotes, such as 1",
    ),
    (
        "serving: {gpus: 1.5}",
        "serving.gpus: 1.5 is not a whole number; write one without quotes, such as 1",
    ),
    (
        "serving: {route: yes}",
        "serving.route: 'yes' is neither true nor false; write one of them without quotes",
    ),
    ("serving: {args: --x}", "serving.args: '--x' is not a list; write [a, b]"),
    ("serving: {args: [--x, 4]}", 'serving.args[1]: 4 is not text to YAML; quote it: "4"'),
    (
        "serving: {args: [--x, --model=/models]}",
        "serving.args[1]: '--model=/models': the serving runtime sets it; remove it",
    ),
    (
        "serving: {args: [--served_model_name, x]}",
        "serving.args[0]: '--served_model_name': the serving runtime sets it; remove it",
    ),
    (
        "serving: {args: [--tensor-parallel-size, '2']}",
        "serving.args[0]: '--tensor-parallel-size': it has a field of its own; "
        "set serving.tensor_parallel_size",
    ),
    (
        "serving: {args: [-tp=2]}",
        "serving.args[0]: '-tp=2': it has a field of its own; set serving.tensor_parallel_size",
    ),
    (
        "serving: {args: [--max-model-len 4096]}",
        "serving.args[0]: '--max-model-len 4096': it has a field of its own; "
        "set serving.max_model_len",
    ),
    (
        "serving: {args: [--max-num-seqs 4]}",
        "serving.args[0]: '--max-num-seqs 4' is two arguments in one; write --max-num-seqs=4",
    ),
    ("serving: {args: ['']}", "serving.args[0]: it holds an empty text; remove it"),
    (
        "serving: {node_selector: {gpu-count: 4}}",
        'serving.node_selector.gpu-count: 4 is not text to YAML; quote it: "4"',
    ),
    (
        "serving: {node_selector: {gpu: a b}}",
        "serving.node_selector.gpu: 'a b' is not a label's value; see the labels of your nodes",
    ),
    (
        "serving: {node_selector: {a b: gpu}}",
        "serving.node_selector.a b: 'a b' is not a label's name; see the labels of your nodes",
    ),
    (
        "serving: {node_selector: {1: gpu}}",
        'serving.node_selector[1]: the key 1 is not text; quote it: "1"',
    ),
    (
        "serving: {runtime: vLLM CUDA}",
        "serving.runtime: 'vLLM CUDA' is not a Kubernetes name; "
        "use a-z, 0-9, '-' and '.', such as my-name",
    ),
    (
        "serving: {runtime: ''}",
        "serving.runtime: it is empty; write vllm-cuda-runtime, or remove it",
    ),
    (
        "serving: {pull_secret: Quay}",
        "serving.pull_secret: 'Quay' is not a Kubernetes name; "
        "use a-z, 0-9, '-' and '.', such as my-name",
    ),
    ("serving: {memroy: 1Gi}", "serving.memroy: unknown field; did you mean memory?"),
    ("memory: 1Gi", "memory: unknown field; did you mean serving.memory?"),
    ("zzz: 1", f"zzz: unknown field; known here: {SCHEMA_FIELDS}"),
    (
        "serving: [gpus]",
        "serving: ['gpus'] is not a mapping; write `field: value` lines below it",
    ),
    ("files: {include: ['*', ' ']}", "files.include[1]: it holds an empty text; remove it"),
    ("description: 1.10", 'description: 1.10 is not text to YAML; quote it: "1.10"'),
    ("description: [a]", "description: ['a'] is not text; write one value"),
    (
        "description: 2024-01-02",
        'description: 2024-01-02 is not text to YAML; quote it: "2024-01-02"',
    ),
    (
        "commit: abc",
        "commit: 'abc' is not a commit (40 of 0-9, a-f); `modelcar pin` writes it",
    ),
]


@pytest.mark.parametrize(("line", "fault"), FIELD_FAULTS, ids=[line for line, _ in FIELD_FAULTS])
def test_a_bad_field_is_named_with_its_remedy(write: Write, line: str, fault: str) -> None:
    assert faults(write(f"{LEAST}{line}\n")) == [fault]


IDENTITY_FAULTS = [
    (
        'name: Mistral_24B.v1\nsource: hf://o/m\nversion: "1"',
        "name: 'Mistral_24B.v1' is not a name (a-z, 0-9 and -, at most 53); try mistral-24b-v1",
    ),
    (
        'name: 7b\nsource: hf://o/m\nversion: "1"',
        "name: '7b' is not a name (a-z, 0-9 and -, at most 53); try model-7b",
    ),
    (
        "name: m\nsource: hf://o/m\nversion: 1.10",
        'version: 1.10 is not text to YAML; quote it: "1.10"',
    ),
    (
        "name: m\nsource: hf://o/m\nversion: a b",
        "version: 'a b' cannot stand in an image tag; try 'a-b'",
    ),
    (
        "name: m\nsource: hf://o/m\nversion: ''",
        "version: '' cannot stand in an image tag; try '1.0'",
    ),
    (
        'name: m\nsource: org/model\nversion: "1"',
        "source: 'org/model' cannot be read; write hf://org/name, hf://org/name@revision "
        "or file:///absolute/folder",
    ),
    (
        'name: m\nsource: hf://o/m@v1\nrevision: v2\nversion: "1"',
        "revision: 'v2': the source names a revision too; keep one of them",
    ),
    (
        'name: m\nsource: file:///m\nrevision: v2\nversion: "1"',
        "revision: 'v2': a folder has none; remove it",
    ),
    ('source: hf://o/m\nversion: "1"', "name: it is missing; add it"),
    ('name:\nsource: hf://o/m\nversion: "1"', "name: it is missing; add it"),
]


@pytest.mark.parametrize(("text", "fault"), IDENTITY_FAULTS, ids=[t for t, _ in IDENTITY_FAULTS])
def test_a_bad_identity_is_named_with_its_remedy(write: Write, text: str, fault: str) -> None:
    assert faults(write(text + "\n")) == [fault]


FILE_FAULTS: list[tuple[str | bytes, str]] = [
    ("", "it is empty; write at least its required fields"),
    ("# only a comment\n", "it is empty; write at least its required fields"),
    ("- a\n- b\n", "it is not a mapping; write `field: value` lines"),
    ("just text\n", "it is not a mapping; write `field: value` lines"),
    (
        "name: a: b\n",
        "line 1: it is not YAML: mapping values are not allowed here; "
        "check indentation, quotes and brackets",
    ),
    (
        "name: a\nserving: {gpus: 1\n",
        "line 3: it is not YAML: expected ',' or '}', but got '<stream end>'; "
        "check indentation, quotes and brackets",
    ),
    (
        "name: a\n\tversion: b\n",
        "line 2: it is not YAML: found character '\\t' that cannot start any token; "
        "check indentation, quotes and brackets",
    ),
    (
        "name: a\n---\nname: b\n",
        "line 2: it is not YAML: expected a single document in the stream, "
        "but found another document; check indentation, quotes and brackets",
    ),
    ("name: a\nversion: b\nname: c\n", "line 3: the key 'name' stands twice; remove one"),
    ("a: &x 1\nb: *x\n", "line 1: anchors and aliases are not read; write the value out"),
    (
        "name: !!python/object:os.system x\n",
        "line 1: tags (!…) are not read; write the plain value",
    ),
    ("a: " + "[" * 5000, "line 1: it is nested deeper than 20 levels; check the brackets"),
    (b"name: \xff\xfe\n", "it is not UTF-8 text; save it as UTF-8"),
    ("#" * 70_000, "it is larger than 64 KiB; name the right file"),
    (
        "version: 2024-99-99\n",
        "a value cannot be read: month must be in 1..12; quote it",
    ),
    (
        "name: \x07\n",
        "it is not YAML: unacceptable character #x0007: special characters are not allowed; "
        "check indentation, quotes and brackets",
    ),
]


@pytest.mark.parametrize(
    ("text", "fault"), FILE_FAULTS, ids=[repr(text[:20]) for text, _ in FILE_FAULTS]
)
def test_a_file_that_is_no_plain_mapping_is_refused(
    write: Write, text: str | bytes, fault: str
) -> None:
    assert faults(write(text)) == [fault]


@pytest.mark.timeout(10)
def test_a_yaml_bomb_is_refused_before_it_goes_off(write: Write) -> None:
    layers = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 30)]
    path = write("l0: &l0 [lol]\n" + "".join(layers))
    assert faults(path) == ["line 1: anchors and aliases are not read; write the value out"]


def test_all_faults_of_a_file_come_at_once(write: Write) -> None:
    path = write("name: A\nversion: 2\nsource: x\nserving: {gpus: x, memory: 1TB, foo: 1}\n")
    assert [fault.partition(":")[0] for fault in faults(path)] == [
        "name",
        "source",
        "version",
        "serving.gpus",
        "serving.memory",
        "serving.foo",
    ]


def test_a_fault_is_one_short_line_whatever_the_value(write: Write) -> None:
    (fault,) = faults(write(LEAST + 'serving: {memory: "' + "x\\n" * 500 + '"}\n'))
    assert "\n" not in fault
    assert len(fault) < 160


def test_a_missing_file_and_a_folder_are_faults(write: Write) -> None:
    write(LEAST)
    assert faults(Path("models/none.yaml")) == [
        "models/none.yaml: no such file; check the path",
    ]
    (fault,) = faults(Path("models"))
    assert fault == "models: it cannot be read: Is a directory; check its rights"


def test_find_reads_a_name_a_path_or_a_uri(write: Write) -> None:
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
        ("hf://o/" + "a" * 52 + "-b", "a" * 52),
        ("hf://gpt2", "gpt2"),
    ],
)
def test_a_uri_gives_a_name_that_kubernetes_takes(uri: str, name: str) -> None:
    assert catalog.find(uri).name == name


def test_find_says_which_model_may_be_meant(write: Write) -> None:
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


def test_check_reports_every_file_at_once(write: Write) -> None:
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


PINNED = [
    pytest.param('{s}commit: ""  # by pin\n', '{s}commit: "{c}"  # by pin\n', id="empty text"),
    pytest.param("{s}commit:   # later\n{t}", '{s}commit: "{c}"   # later\n{t}', id="empty"),
    pytest.param("{s}commit: {o}\n{t}", '{s}commit: "{c}"\n{t}', id="an older commit"),
    pytest.param(
        "{s}revision: main   # a branch\n\n{t}",
        '{s}revision: main   # a branch\ncommit: "{c}"\n\n{t}',
        id="behind the revision",
    ),
    pytest.param(
        "name: a\nsource:   hf://o/m # x\nversion: '1'\n",
        "name: a\nsource:   hf://o/m # x\ncommit: \"{c}\"\nversion: '1'\n",
        id="behind the source",
    ),
    pytest.param(
        "name: a\nversion: '1'\nsource: hf://o/m",
        "name: a\nversion: '1'\nsource: hf://o/m\ncommit: \"{c}\"\n",
        id="no newline at the end",
    ),
    pytest.param(
        "\ufeff# BOM\r\nname: a\r\nversion: '1'\r\nsource: hf://o/m\r\n",
        "\ufeff# BOM\r\nname: a\r\nversion: '1'\r\nsource: hf://o/m\r\ncommit: \"{c}\"\r\n",
        id="Windows",
    ),
    pytest.param(
        "{{name: a, version: '1', commit: '', source: 'hf://o/m'}}\n",
        "{{name: a, version: '1', commit: \"{c}\", source: 'hf://o/m'}}\n",
        id="flow",
    ),
]


@pytest.mark.parametrize(("before", "after"), PINNED)
def test_pin_changes_the_commit_and_nothing_else(write: Write, before: str, after: str) -> None:
    start = f"# Head\n\n{LEAST}description: >-\n    folded\n    text\n"
    tail = "files:   {include: [  'a' ], exclude: []}\nserving:\n    args:\n        - --x   # c\n"

    def filled(text: str) -> str:
        return text.format(s=start, t=tail, c=COMMIT, o="f" * 40)

    path = write(filled(before))
    catalog.pin(path, COMMIT)
    assert path.read_bytes().decode() == filled(after)
    assert catalog.load(path).source.revision == COMMIT


def test_pin_keeps_mode_and_link_and_leaves_no_other_file(write: Write) -> None:
    path = write(LEAST)
    path.chmod(0o640)
    link = path.with_name("link.yaml")
    link.symlink_to(path.name)

    catalog.pin(link, COMMIT)

    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(Path("models").iterdir()) == [link, path]
    assert catalog.load(path).source.pinned


def test_pin_twice_does_not_write_again(write: Write) -> None:
    path = write(LEAST)
    catalog.pin(path, COMMIT)
    written = path.stat()
    catalog.pin(path, COMMIT)
    assert path.stat().st_ino == written.st_ino


@pytest.mark.parametrize(
    ("text", "commit", "fault"),
    [
        (
            LEAST,
            "main",
            "commit: 'main' is not a commit (40 of 0-9, a-f); `modelcar pin` writes it",
        ),
        (LEAST, 'x"\nname: y', "line 4: the key 'name' stands twice; remove one"),
        (
            'name: a\nsource: file:///m\nversion: "1"\n',
            COMMIT,
            f"commit: '{COMMIT}': a folder has none; remove it",
        ),
        (LEAST + "gpus: 1\n", COMMIT, "gpus: unknown field; did you mean serving.gpus?"),
    ],
)
def test_pin_refuses_and_leaves_the_file(write: Write, text: str, commit: str, fault: str) -> None:
    path = write(text)
    with pytest.raises(CatalogError) as caught:
        catalog.pin(path, commit)
    assert caught.value.faults == (f"models/x.yaml: {fault}",)
    assert path.read_text() == text
