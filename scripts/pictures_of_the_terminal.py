"""Draw docs/pictures/terminal-*.svg from a real run: python -m scripts.pictures_of_the_terminal.

A model in shards is built through a proxy that holds four uploads, so that the run can be drawn.
"""

import io
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import MONOKAI

from modelcar import fitting, plan, run
from modelcar.catalog import find
from modelcar.hub import Hub
from modelcar.live import Live
from modelcar.packing import DEFAULT
from modelcar.site import Images, Site
from modelcar.terminal_plan import print_plan
from modelcar.values import Model
from modelcar.view import Unseen, View
from modelcar.workfolder import WorkFolder
from tests.byte_path import safetensors
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy, Gate
from tests.servers.hub import HubServer
from tests.serving_models import CONFIG

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURES: Final = ROOT / "docs/pictures"
WIDTH: Final = 100
MODEL: Final = ROOT / "models/mistral-24b.yaml"
SHARD: Final = 72 << 20
SHARDS: Final = 7
HELD: Final = (0.93, 0.7, 0.48, 0.2)
"""How far the uploads are that stand still."""
LARGE: Final = {f"model-{n:05d}-of-00010.safetensors": 4_714_000_000 for n in range(1, 11)}
"""The shards as they are listed for the plan, which reads no byte of them."""
SMALL: Final = {
    "README.md": b"---\nlicense: apache-2.0\n---\n# A model\n",
    "config.json": json.dumps(CONFIG).encode(),
    "tokenizer.json": b"{}" * 4_000_000,
    "tokenizer_config.json": b"{}",
}
SECOND: Final[dict[str, int | bytes]] = {
    "consolidated.safetensors": 47_144_000_000,
    ".gitattributes": b"*",
}
_PATIENCE: Final = 120.0
_UNSEEN: Final = re.compile(r"@font-face \{.*?\}\s*|\s*<!--.*?-->", re.DOTALL)


def main() -> None:
    """Draw both pictures."""
    model = find(str(MODEL), pinned=False)
    with tempfile.TemporaryDirectory() as folder:
        _draw("terminal-plan", f"modelcar plan {model.name}", _planned(model, Path(folder)))
        _draw("terminal-run", f"modelcar run {model.name}", _running(model, Path(folder)))


def _planned(model: Model, folder: Path) -> Console:
    """Print the plan of the model in its own size."""
    with HubServer({model.source.location: {**SMALL, **LARGE, **SECOND}}) as server:
        hub = Hub(server.url)
        made = plan.make(model, WorkFolder(folder / "plan"), hub)
        fit = fitting.of_plan(model, made, hub)
    console = _console()
    print_plan(made, fit, console=console)
    return console


def _running(model: Model, folder: Path) -> Console:
    """Print the view of a run that goes on, of which two layers stood before."""
    view, console = Live(run.SHOWN, console=_console()), _console()
    with ExitStack() as servers:
        oci_registry = servers.enter_context(DockerRegistry(folder / "oci-registry"))
        proxy = servers.enter_context(FaultyProxy(oci_registry.host))
        _run(model, folder, proxy.host, _shards(old=True), Unseen())
        gates = [proxy.stall("PATCH", int(SHARD * part)) for part in HELD]
        with ThreadPoolExecutor(1) as pool:
            shards = _shards(old=False)
            work = pool.submit(_run, model, folder, proxy.host, shards, view)
            try:
                _await(gates, work)
                console.print(view.screen())
            finally:
                for gate in gates:
                    gate.release()
            work.result()
    return console


def _await(gates: Sequence[Gate], work: "Future[None]") -> None:
    """Wait until an upload stands at each gate; raise where the run ends before, or takes long."""

    def ended(_: object) -> None:
        for gate in gates:
            gate.reached.set()

    work.add_done_callback(ended)
    for gate in gates:
        if not gate.reached.wait(_PATIENCE):
            raise TimeoutError(f"no upload stood still in {_PATIENCE} s")
    if work.done():
        work.result()
        raise RuntimeError(f"the run ended before {len(gates)} uploads stood still")


def _run(model: Model, folder: Path, host: str, files: Mapping[str, bytes], view: View) -> None:
    base = busybox_base.make(folder / "base")
    site = Site(oci_registry=f"{host}/models", images=Images(base=str(base)))
    with HubServer({model.source.location: {**SMALL, **files}}) as hub, view:
        work = WorkFolder(folder / "work")
        setting = run.Setting(site, folder / "out", work, Hub(hub.url), view)
        run.run(model, replace(setting, packing=site.packing(DEFAULT)))


def _shards(*, old: bool) -> dict[str, bytes]:
    """Return shards, of which the first two are the same in both; of the `old` ones some small."""
    sizes = (SHARD if number < 2 or not old else 8 << 10 for number in range(SHARDS))
    return {
        f"model-{number + 1:05d}-of-{SHARDS:05d}.safetensors": safetensors(size, fill=number)
        for number, size in enumerate(sizes)
    }


def _console() -> Console:
    return Console(record=True, force_terminal=True, width=WIDTH, height=40, file=io.StringIO())


def _draw(name: str, title: str, console: Console) -> None:
    svg = console.export_svg(title=title, theme=MONOKAI, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(_UNSEEN.sub("", svg), encoding="utf-8")


if __name__ == "__main__":
    main()
