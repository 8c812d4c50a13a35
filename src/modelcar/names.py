"""How a model's name and version become names elsewhere."""

import re


def dns_name(text: str) -> str:
    """Return `text` as a name that Kubernetes takes: `Qwen2.5-0.5B` is `qwen2-5-0-5b`."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"
    name = name if name[0].isalpha() else f"model-{name}"
    return name[:53].rstrip("-")


def image_tag(version: str, commit: str | None) -> str:
    """Return the tag of an image: the version and its commit, so that a tag need never move."""
    return f"{version}-{commit[:7]}" if commit else version
