from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelcar import parameters, serving_parameters, trust
from modelcar.errors import DeployError, UsageError
from modelcar.values import Model, ModelSource, Serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = Model("name", "1.0", ModelSource("hf", "org/name", "main"))
SERVING = {
    "gpu_count": "4",
    "cpu_request": "16",
    "memory_request": "96Gi",
    "memory_limit": "",
    "node_selector_label": "",
    "tensor_parallel_size": "",
    "max_model_len": "",
    "vllm_args": "",
    "serving_runtime": "",
    "tolerations": "",
    "hardware_profile": "",
    "pull_secret": "",
}


@pytest.mark.parametrize(
    ("hf_repo", "revision", "name", "expected"),
    [
        ("org/Qwen2.5", "v1", "", Model("qwen2-5", "1", ModelSource("hf", "org/Qwen2.5", "v1"))),
        ("org/x", "", "My_Name", Model("my-name", "1", ModelSource("hf", "org/x", "main"))),
        ("gpt2", COMMIT, "", Model("gpt2", "1", ModelSource("hf", "gpt2", COMMIT))),
        ("hf://org/x@v2", "", "", Model("x", "1", ModelSource("hf", "org/x", "v2"))),
        ("hf://org/x@v2", "v3", "", Model("x", "1", ModelSource("hf", "org/x", "v3"))),
        ("file:///models/x", "main", "", Model("x", "1", ModelSource("file", "/models/x"))),
    ],
)
def test_a_model_is_read_from_its_parameters(
    hf_repo: str, revision: str, name: str, expected: Model
) -> None:
    assert parameters.model(hf_repo, revision, name, "1") == expected


def test_what_is_left_empty_has_the_defaults() -> None:
    assert _read() == Serving(gpus=4, cpu="16", memory="96Gi", tensor_parallel_size=4)


def test_every_serving_parameter_is_read() -> None:
    given = {
        "memory_limit": "128Gi",
        "node_selector_label": "a/b=c, d = e,",
        "tensor_parallel_size": "2",
        "max_model_len": "4096",
        "vllm_args": "--a=b --c 'd e'",
        "serving_runtime": "mine",
        "tolerations": "team=ml:NoSchedule, spot",
        "hardware_profile": "l4",
        "pull_secret": "quay",
    }
    assert _read(**given) == Serving(
        gpus=4,
        cpu="16",
        memory="96Gi",
        memory_limit="128Gi",
        node_selector={"a/b": "c", "d": "e"},
        tensor_parallel_size=2,
        max_model_len=4096,
        args=("--a=b", "--c", "d e"),
        runtime="mine",
        tolerations=("team=ml:NoSchedule", "spot"),
        hardware_profile="l4",
        pull_secret="quay",
    )


def test_the_target_stands_below_the_place_that_is_named() -> None:
    assert str(parameters.target("quay.io/org/", "ns", MODEL, COMMIT)) == (
        "quay.io/org/name:1.0-0123456"
    )
    assert str(parameters.target("quay.io/org", "", MODEL, "")) == "quay.io/org/name:1.0"
    assert str(parameters.mirror_target("quay.io/m", MODEL, COMMIT)) == "quay.io/m/name:1.0-0123456"
    assert parameters.mirror_target("", MODEL, COMMIT) is None


def test_without_a_place_it_is_the_clusters_own_oci_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "namespace").write_text("own\n")
    for namespace, expected in (("models", "models"), ("", "own")):
        found = parameters.target("", namespace, MODEL, "")
        assert str(found) == f"{parameters.INTERNAL}/{expected}/name:1.0"


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("True", True), ("FALSE", False)])
def test_a_switch_is_true_or_false(text: str, expected: bool) -> None:
    assert parameters.switch("deploy_model", text) is expected


def _read(**changed: str) -> Serving:
    return serving_parameters.serving(**(SERVING | changed))


def test_a_remedy_names_the_pipelines_parameters() -> None:
    remedy = "set serving.gpus and serving.tensor_parallel_size to 4, or serving.node_selector"
    with pytest.raises(DeployError) as caught, serving_parameters.spoken():
        raise DeployError("deploying", "it does not fit", remedy)
    assert str(caught.value).endswith(
        "; set gpu_count and tensor_parallel_size to 4, or node_selector_label"
    )


def _serving(**changed: str) -> Callable[[], Any]:
    return lambda: _read(**changed)


BAD: list[tuple[Callable[[], Any], str]] = [
    (_serving(gpu_count=""), "parameter gpu_count: '' is not a whole number; write digits"),
    (_serving(gpu_count="1.0"), "parameter gpu_count: '1.0' is not a whole number"),
    (_serving(gpu_count="-1"), "parameter gpu_count: '-1' is not a whole number"),
    (_serving(gpu_count=" 1"), "parameter gpu_count: ' 1' is not a whole number"),
    (_serving(gpu_count="٣"), "parameter gpu_count: '٣' is not a whole number"),
    (_serving(tensor_parallel_size="two"), "parameter tensor_parallel_size: 'two' is not"),
    (_serving(memory_request="32GB"), "memory_request: '32GB' is not a quantity; write 4"),
    (_serving(cpu_request=""), "parameter cpu_request: '' is not a quantity; write 4 or 32Gi"),
    (_serving(tolerations="a, b c"), "tolerations: 'b c' is not a toleration; write key="),
    (_serving(tolerations="a:Never"), "parameter tolerations: 'a:Never' is not a toleration"),
    (_serving(max_model_len="32k"), "parameter max_model_len: '32k' is not a whole number"),
    (_serving(vllm_args="--a 'b"), 'parameter vllm_args: "--a \'b": No closing quotation; write'),
    (_serving(vllm_args="--a \\"), "parameter vllm_args: '--a \\\\': No escaped character; write"),
    (_serving(node_selector_label="a"), "parameter node_selector_label: 'a' is not key=value"),
    (_serving(node_selector_label="=b"), "parameter node_selector_label: '=b' is not key=value"),
    (_serving(node_selector_label="a=b,c"), "node_selector_label: 'a=b,c' is not key=value; write"),
    (lambda: parameters.switch("deploy_model", "yes"), "'yes' is neither true nor false; write"),
    (lambda: parameters.switch("deploy_model", ""), "parameter deploy_model: '' is neither"),
    (lambda: parameters.model("", "", "", "1"), "model URI 'hf://': it cannot be read"),
    (lambda: parameters.model("a/b/c", "", "", "1"), "model URI 'hf://a/b/c': it cannot be read"),
    (lambda: parameters.model("https://h/a", "", "", "1"), "model URI 'https://h/a'"),
    (lambda: parameters.target("", "", MODEL, ""), "parameter registry: it is empty outside a"),
    (lambda: parameters.target("org", "", MODEL, ""), "'org' is not a host"),
    (lambda: parameters.target("https://q.io/org", "", MODEL, ""), "'https:' is not a host"),
    (
        lambda: parameters.target("q.io", "", replace(MODEL, version="1 b"), ""),
        "'1 b' is not a tag",
    ),
    (lambda: parameters.mirror_target("quay.io/Org", MODEL, ""), "'Org/name' is not a repository"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_text_is_named_with_its_remedy(
    call: Callable[[], Any],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trust, "SERVICE_ACCOUNT", tmp_path)
    with pytest.raises(UsageError) as caught:
        call()
    assert message in str(caught.value)
    assert caught.value.remedy
