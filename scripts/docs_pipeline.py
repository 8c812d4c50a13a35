"""The page on the pipeline's parameters and tasks, from compiled/modelcar.yaml."""

from collections.abc import Iterator
from pathlib import Path

from scripts.compiled_graph import Graph, Parameter, Task, read
from scripts.docs_text import code, head, prose, short, table

ROOT = Path(__file__).resolve().parents[1]
_COMPILED = ("compiled/modelcar.yaml", "compiled/modelcar-overlapped.yaml")
_OPENING = """All parameters are text: a form, a schedule and KFP's command line give the same.
`modelcar submit` fills them in from the [catalog entry](catalog.md) and the [site file](site.md);
for each model of the catalog there is a compiled file with its values as defaults. How the tasks
work: [the pipeline](../pipeline.md).

"""
GROUPS = {
    "The model": (
        "hf_repo revision model_name model_version model_description include exclude allow_pickle"
        " hf_endpoint"
    ),
    "The image": "registry mirror_to base_image",
    "The Model Registry": "model_registry_url move_version follow",
    "Serving": (
        "deploy_model namespace serving_runtime gpu_count cpu_request memory_request memory_limit"
        " node_selector_label tolerations hardware_profile tensor_parallel_size max_model_len"
        " vllm_args pull_secret route auth ignore_fit"
    ),
    "The run": "pvc_name workdir skip_preflight",
}
"""The parameters by what they are for; each stands in one group."""
_SECRETS = """Secrets are mounted as files, each where it is there; none is a parameter or a
variable. `modelcar bootstrap` makes them, and gives the account its [rights](../rights.md).

"""
_PASSED = """What one task gives to others, by the names in the file:

"""


def files() -> Iterator[tuple[str, str]]:
    """Yield the path below the repository and the text of the page."""
    yield "docs/reference/pipeline-parameters.md", "".join(_page(*map(_graph, _COMPILED)))


def _graph(path: str) -> Graph:
    return read(ROOT / path)


def _page(graph: Graph, overlapped: Graph) -> Iterator[str]:
    yield head("The pipeline's parameters", "compiled/modelcar.yaml") + _OPENING
    for group, parameters in _grouped(graph.parameters):
        yield f"## {group}\n\n"
        yield table(("parameter", "default", "what it says", "taken by"), _rows(parameters, graph))
        yield "\n"
    yield "## The tasks\n\n"
    yield f"![The tasks of {graph.name} in their order](../pictures/pipeline.svg)\n\n"
    yield _tasks(graph) + "\n" + _SECRETS
    yield table(("secret or config map", "mounted by"), _mounts(graph)) + "\n" + _images(graph)
    yield "\n## What passes between them\n\n" + _PASSED
    yield table(("value", "from", "to"), _passed(graph))
    yield f"\n## {overlapped.name}\n\n" + overlapped_page(graph, overlapped)


def _grouped(parameters: tuple[Parameter, ...]) -> Iterator[tuple[str, list[Parameter]]]:
    """Yield the parameters by group; raise ValueError where one stands in none, or in two."""
    by_name = {one.name: one for one in parameters}
    placed = " ".join(GROUPS.values()).split()
    if sorted(placed) != sorted(by_name):
        odd = ", ".join(sorted(set(placed) ^ set(by_name)) or placed)
        raise ValueError(f"{odd}: each parameter stands in one group of scripts/docs_pipeline.py")
    for group, names in GROUPS.items():
        yield group, [by_name[name] for name in names.split()]


def _rows(parameters: list[Parameter], graph: Graph) -> Iterator[tuple[str, ...]]:
    for one in parameters:
        if not one.description:
            raise ValueError(f"parameter {one.name} has no description in pipelines/modelcar.py")
        takers = [t.name for t in (*graph.tasks, *graph.closing) if _takes(t, one.name)]
        default = code(short(one.default)) or "empty"
        yield code(one.name), default, prose(one.description), ", ".join(takers)


def _takes(task: Task, parameter: str) -> bool:
    return parameter in task.parameters or parameter == task.volume


def _tasks(graph: Graph) -> str:
    rows = (_task(task, number) for number, task in enumerate((*graph.tasks, *graph.closing), 1))
    tries = max(task.tries for task in graph.tasks)
    told = f"""CPU and memory are what a task asks for, and its limit; the volume is the claim
`pvc_name`. A task that fails is tried again, at most {tries} times in all.

"""
    return told + table(("", "task", "after", "CPU", "memory", "volume", "shows"), rows)


def _task(task: Task, number: int) -> tuple[str, ...]:
    after = ", ".join(task.after) if "exit-handler" not in str(task.after) else "all, in any case"
    volume = "yes" if task.volume else ""
    cpu, memory = " to ".join(task.cpu), " to ".join(task.memory)
    return str(number), f"`{task.name}`", after, cpu, memory, volume, ", ".join(task.shows)


def _mounts(graph: Graph) -> Iterator[tuple[str, str]]:
    tasks = (*graph.tasks, *graph.closing)
    for name in sorted({name for task in tasks for name in task.secrets}):
        yield f"secret `{name}`", ", ".join(one.name for one in tasks if name in one.secrets)
    for name in sorted({name for task in tasks for name in task.config_maps}):
        yield (
            f"config map `{name}`",
            ", ".join(one.name for one in tasks if name in one.config_maps),
        )


def _images(graph: Graph) -> str:
    tasks = (*graph.tasks, *graph.closing)
    images = dict.fromkeys(task.image for task in tasks)
    rows = ((code(short(i)), ", ".join(t.name for t in tasks if t.image == i)) for i in images)
    return table(("image", "tasks that run on it"), rows)


def _passed(graph: Graph) -> Iterator[tuple[str, str, str]]:
    values = dict.fromkeys((one.value, one.producer) for one in graph.passed)
    for value, producer in values:
        takers = [
            one.consumer for one in graph.passed if (one.value, one.producer) == (value, producer)
        ]
        yield f"`{value}`", producer, ", ".join(takers)


def overlapped_page(graph: Graph, overlapped: Graph) -> str:
    """Return what the other pipeline has in place of which tasks; its parameters are the same."""
    if graph.parameters != overlapped.parameters:
        raise ValueError("the two pipelines have other parameters, which the page does not show")
    ours, theirs = ([task.name for task in one.tasks] for one in (graph, overlapped))
    gone = " and ".join(f"`{name}`" for name in ours if name not in theirs)
    new = " and ".join(f"`{name}`" for name in theirs if name not in ours)
    picture = (
        f"![The tasks of {overlapped.name} in their order](../pictures/pipeline-overlapped.svg)"
    )
    return f"It has the same parameters, and {new} in place of {gone}.\n\n{picture}\n"
