"""The verbs as users look for them: what each is for, in a few words, and an example of it."""

from collections.abc import Iterable, Iterator
from typing import Final

import click

_QWEN: Final = "qwen2-5-0-5b-instruct"
_IMAGE: Final = "--image quay.io/me/qwen@sha256:…"
_OTHER: Final = "Other"
Verbs = dict[str, tuple[str, str]]
"""A few words and an example, by the name of the verb."""
_BRING: Final[Verbs] = {
    "init": (
        "Write a catalog file for a model of the Hub.",
        "init hf://Qwen/Qwen2.5-0.5B-Instruct --gpu L4",
    ),
    "pin": ("Write the commit into the catalog file.", f"pin {_QWEN}"),
    "run": ("Do all of it: build, mirror, register, deploy.", f"run {_QWEN} --site site.yaml"),
    "download": ("Bring the files onto a disk, verified.", f"download {_QWEN} --workdir /data"),
    "build": (
        "Push the image, straight from the Hub.",
        f"build {_QWEN} --to quay.io/me/qwen:1.0",
    ),
    "mirror": (
        "Copy an image with skopeo, its digest kept.",
        "mirror quay.io/me/qwen:1.0 mirror.example.com/models/qwen",
    ),
    "register": ("Name the image in the Model Registry.", f"register {_QWEN} {_IMAGE}"),
}
_LOOK: Final[Verbs] = {
    "plan": ("Say what would move, and if it fits.", f"plan {_QWEN} --to quay.io/me/qwen:1.0"),
    "check": ("Find the faults of catalog and site files.", "check models/*.yaml site.yaml"),
    "preflight": (
        "Check rights and settings before a run.",
        f"preflight {_QWEN} --site site.yaml",
    ),
    "versions": ("List what the Model Registry has of a model.", f"versions {_QWEN}"),
    "diagnose": ("Say why a model does not serve.", f"diagnose {_QWEN} -n models"),
}
_SERVE: Final[Verbs] = {
    "deploy": ("Serve an image, and wait until it answers.", f"deploy {_QWEN} {_IMAGE} --dry-run"),
    "rollback": ("Return to the image that served before.", f"rollback {_QWEN} -n models"),
    "undeploy": ("Delete what was deployed.", f"undeploy {_QWEN} -n models"),
}
_PIPELINES: Final[Verbs] = {
    "submit": ("Run the pipeline for a model.", f"submit {_QWEN} --site site.yaml --wait"),
    "runs": ("List the pipeline's runs.", f"runs {_QWEN} --limit 5"),
    "cancel": ("End a run.", "cancel 6a8f1f0e-93a6-4d0e-8f3c-1b6f2f7c0d11"),
    "schedule": ("Have the pipeline run again and again.", f'schedule {_QWEN} --cron "0 3 * * *"'),
    "schedules": ("List the schedules.", "schedules -n models"),
    "unschedule": ("Delete a model's schedules.", f"unschedule {_QWEN}"),
}
_KEEP: Final[Verbs] = {
    "bootstrap": (
        "Make a namespace ready, or take that back.",
        "bootstrap -n models --env-file .env --dry-run",
    ),
    "prune": ("Delete old images that nobody names.", f"prune {_QWEN} --keep 3 --dry-run"),
    "archive": ("Put a version away in the Model Registry.", f"archive {_QWEN} 1.0"),
    "restore": ("Bring a version back from there.", f"restore {_QWEN} 1.0"),
    "schema": ("Print the JSON Schema of catalog or site files.", "schema site > site.schema.json"),
    "completion": (
        "Have the shell complete verbs, options, models.",
        "completion bash > ~/.local/share/bash-completion/completions/modelcar",
    ),
}
SECTIONS: Final[dict[str, Verbs]] = {
    "Bring a model": _BRING,
    "Look": _LOOK,
    "Serve": _SERVE,
    "Pipelines": _PIPELINES,
    "House-keeping": _KEEP,
}
_EVERY: Final[Verbs] = {name: told for verbs in SECTIONS.values() for name, told in verbs.items()}


def explain(verb: click.Command, name: str) -> None:
    """Give a verb its few words, and its example."""
    if name in _EVERY:
        verb.short_help, example = _EVERY[name]
        verb.epilog = f"\b\nExample:\n  modelcar {example}"


def placed(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each section with those of the verbs `names` that stand there."""
    there = set(names)
    for title, verbs in SECTIONS.items():
        yield title, [name for name in verbs if name in there]
    yield _OTHER, sorted(there - set(_EVERY))
