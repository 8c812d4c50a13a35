"""The pictures of the run report, of real runs against the servers of the tests.

It wants chromium, docker-registry, skopeo, KUBEBUILDER_ASSETS and KSERVE_CRDS. The pages are left
in the folder that the second argument names.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from modelcar import report
from modelcar.errors import DeployError
from modelcar.values import RunRecord, from_json, to_json
from scripts.browser import Browser, picture, started
from tests.kube_session import kube_session
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.kserve import MERGE, KServe
from tests.servers.kube import KubeServer
from tests.servers.kubelet import Kubelet
from tests.servers.model_registry import ModelRegistryServer
from tests.servers.vllm import VllmServer
from tests.serving_site import Site

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
NAME, REPO = "chat-small", "example/chat-small"
SIZES = {"phone": (390, 2400), "desk": (1200, 1800)}
SHOWN = ("succeeded-desk-light", "failed-desk-light", "unchanged-phone-dark")
"""Those that stand on a page; all are drawn into another folder, to be looked at."""
CARD = "---\nlicense: apache-2.0\npipeline_tag: text-generation\n---\n# Chat small\n"
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 896,
    "max_position_embeddings": 32768,
    "model_type": "qwen2",
    "num_attention_heads": 14,
    "num_hidden_layers": 24,
    "num_key_value_heads": 2,
    "torch_dtype": "bfloat16",
}
ENTRY = {
    "name": NAME,
    "source": f"hf://{REPO}",
    "version": "1.0",
    "serving": {
        "gpus": 1,
        "memory": "16Gi",
        "max_model_len": 8192,
        "node_selector": {"node.kubernetes.io/instance-type": "g6.4xlarge"},
    },
}
LOG = """\
INFO api_server.py:1032] vLLM API server version 0.9.1
INFO config.py:823] This model supports multiple tasks. Defaulting to 'generate'.
INFO gpu_model_runner.py:1595] Starting to load model /mnt/models...
INFO default_loader.py:272] Loading weights took 4.31 seconds
ERROR core.py:515] EngineCore failed to start.
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 7.12 GiB. GPU 0 has a total capacity \
of 22.03 GiB of which 3.91 GiB is free.
"""


def main() -> None:
    """Run the model three times, and draw the reports."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        place = Path(folder)
        runs = _runs(place, servers)
        kept = Path(sys.argv[2]) if len(sys.argv) > 2 else place
        kept.mkdir(parents=True, exist_ok=True)
        pages = {name: _kept(kept, name, run) for name, run in runs.items()}
        out = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
        with started(place / "browser") as browser:
            for name, page in pages.items():
                _draw(browser, name, page, out)


def _draw(browser: Browser, name: str, page: Path, out: Path) -> None:
    for kind, scheme in product(SIZES, ("light", "dark")):
        if out == PICTURES and f"{name}-{kind}-{scheme}" not in SHOWN:
            continue
        path = out / f"report-{name}-{kind}-{scheme}.png"
        path.write_bytes(picture(browser, page.as_uri(), SIZES[kind], scheme))
        print(f"{path.name}: {path.stat().st_size} bytes", file=sys.stderr)


def _kept(folder: Path, name: str, run: RunRecord) -> Path:
    path = folder / f"{name}.html"
    path.write_text(report.html(run), encoding="utf-8")
    path.with_suffix(".md").write_text(report.markdown(run), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(to_json(run)), encoding="utf-8")
    return path


def _runs(folder: Path, servers: ExitStack) -> dict[str, RunRecord]:
    """Return the records of a first run, of the same again, and of one that fails."""
    hub = servers.enter_context(HubServer({REPO: _files()}))
    oci_registry = servers.enter_context(DockerRegistry(folder / "oci-registry"))
    model_registry = servers.enter_context(ModelRegistryServer())
    (folder / "kube").mkdir()
    kube = servers.enter_context(kube_session(folder / "kube"))
    vllm = servers.enter_context(VllmServer(NAME))
    site = {
        "hub": hub.url,
        "oci_registry": f"{oci_registry.host}/models",
        "mirror": f"{oci_registry.host}/mirror",
        "model_registry": model_registry.url,
        "images": {"base": str(busybox_base.make(folder / "base"))},
    }
    (folder / "models").mkdir()
    (folder / "models" / f"{NAME}.yaml").write_text(yaml.safe_dump(ENTRY))
    for namespace in ("models", "staging"):
        kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        Site(kube, namespace, vllm).add_runtime("vllm-cuda-runtime")
    with KServe(kube, "models", vllm.url):
        first = _run(folder, kube, site, "models")
        again = _run(folder, kube, site, "models")
    with Kubelet(kube) as kubelet:
        _crash(kube, kubelet)
        failed = _run(folder, kube, site, "staging", DeployError.exit_code)
    return {"succeeded": first, "unchanged": again, "failed": failed}


def _files() -> dict[str, bytes]:
    small = {"config.json": json.dumps(CONFIG).encode(), "tokenizer.json": b"{}" * 200_000}
    shards = {f"model-0000{n}-of-00002.safetensors": _weights(n) for n in (1, 2)}
    index = {f"w{n}": f"model-0000{n}-of-00002.safetensors" for n in (1, 2)}
    told = json.dumps({"metadata": {}, "weight_map": index}).encode()
    more = {"model.safetensors.index.json": told, "pytorch_model.bin": b"pickle" * 9_000_000}
    return {"README.md": CARD.encode(), **small, **shards, **more}


def _weights(number: int) -> bytes:
    """Return a safetensors file of 80 MB."""
    length = 80_000_000
    tensor = {"dtype": "BF16", "shape": [length // 2], "data_offsets": [0, length]}
    header = json.dumps({f"w{number}": tensor}).encode().ljust(256)
    return len(header).to_bytes(8, "little") + header + bytes([number]) * length


def _run(
    folder: Path, kube: KubeServer, site: dict[str, Any], namespace: str, code: int = 0
) -> RunRecord:
    """Run the model with the command line, and return the run's record; raise for another exit."""
    record = folder / "out" / "run.json"
    record.unlink(missing_ok=True)  # of the run before
    (folder / "site.yaml").write_text(yaml.safe_dump({**site, "namespace": namespace}))
    program = str(Path(sys.executable).parent / "modelcar")
    config = str(kube.kubeconfig(namespace=namespace))
    command = [program, "run", NAME, "--site", "site.yaml", "--out", "out", "--workdir", "work"]
    done = subprocess.run(command, cwd=folder, env={**os.environ, "KUBECONFIG": config})
    if done.returncode != code:
        raise RuntimeError(f"modelcar run in {namespace} exits {done.returncode}, not {code}")
    found: RunRecord = from_json(RunRecord, json.loads(record.read_text()))
    return found


def _crash(kube: KubeServer, kubelet: Kubelet) -> None:
    """Have a pod of the model stand that has crashed three times, and said why."""
    kubelet.logs["kserve-container"] = LOG
    path, name = "/api/v1/namespaces/staging/pods", f"{NAME}-predictor-6c9f7d5b8-x2vkq"
    labels = {"serving.kserve.io/inferenceservice": NAME}
    containers = [{"name": "kserve-container", "image": "vllm"}]
    pod = {"metadata": {"name": name, "labels": labels}, "spec": {"containers": containers}}
    kube.request("POST", path, pod)
    binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": kubelet.node}}
    kube.request("POST", f"{path}/{name}/binding", binding)
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    back_off = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
    fixed = {"name": "kserve-container", "image": "vllm", "imageID": "", "ready": False}
    status = {**fixed, "restartCount": 3, "state": back_off, "lastState": ended}
    patch = {"status": {"phase": "Running", "containerStatuses": [status]}}
    kube.request("PATCH", f"{path}/{name}/status", patch, MERGE)


if __name__ == "__main__":
    main()
