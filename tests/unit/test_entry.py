from pathlib import Path

import pytest

from tests.catalog_files import LEAST, faults, write

SCHEMA_FIELDS = "name, source, revision, commit, version, description, files, serving"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, so that faults name files by their relative path."""
    monkeypatch.chdir(tmp_path)


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
        "serving: {tolerations: [a b]}",
        "serving.tolerations[0]: 'a b': 'a b' is not a label's name; see the labels of your nodes",
    ),
    (
        "serving: {tolerations: [team=a b]}",
        "serving.tolerations[0]: 'team=a b': 'a b' is not a label's value; "
        "see the labels of your nodes",
    ),
    (
        "serving: {tolerations: ['team:Never']}",
        "serving.tolerations[0]: 'team:Never' has no effect of a taint; end it with :NoSchedule",
    ),
    (
        "serving: {hardware_profile: a/b/c}",
        "serving.hardware_profile: 'a/b/c' is not a profile; write its name, or namespace/name",
    ),
    (
        "serving: {hardware_profile: L4}",
        "serving.hardware_profile: 'L4' is not a Kubernetes name; "
        "use a-z, 0-9, '-' and '.', such as my-name",
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
def test_a_bad_field_is_named_with_its_remedy(line: str, fault: str) -> None:
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
def test_a_bad_identity_is_named_with_its_remedy(text: str, fault: str) -> None:
    assert faults(write(text + "\n")) == [fault]
