"""What a report says of the model: where it comes from, whether it fits, how fast it answers."""

import re
from collections.abc import Iterator, Mapping

from modelcar.page_parts import Section, facts
from modelcar.page_results import Results
from modelcar.values import ModelFacts
from modelcar.wording import duration, size


def model(found: Results) -> Section:
    """Return where the model comes from, and what its files and its image say of it."""
    told = found.built.facts.told if found.built else {}
    return Section("The model", facts=facts(_facts(found, told)))


def _facts(found: Results, told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known, own = found.plan or found.snapshot, found.plan.facts if found.plan else ModelFacts()
    if known:
        yield "Source", known.source.uri
        yield "Revision", known.source.revision if known.source.revision != known.commit else ""
        yield "Commit", known.commit or ""
        yield "License", told.get("license") or own.license or "not told"
    yield "Parameters", _count(told.get("parameters", ""))
    yield "Data types", ", ".join(re.findall(r"(\w+)=", told.get("dtypes", "")))
    yield "Quantization", told.get("quantization") or own.quantization
    yield "Architecture", told.get("architecture") or own.architecture
    yield "Size", _size(found)


def _size(found: Results) -> str:
    image = found.built.facts if found.built else None
    if image and image.size:
        return f"{size(image.size)} with its base"
    total = sum(layer.size for layer in found.plan.layers) if found.plan else 0
    return f"{size(total)} without its base" if total else ""


def _count(text: str) -> str:
    """Word a number of parameters, as `494.0 million`."""
    if not re.fullmatch("[0-9]{1,18}", text):
        return ""
    count = int(text)
    million = count < 10**9
    return f"{count / (10**6 if million else 10**9):.1f} {'million' if million else 'billion'}"


def fit(found: Results) -> Section:
    """Return whether the model fits on the GPUs that it asks for, and the figures behind it."""
    own = found.fit
    if own is None:
        return Section("GPU fit")
    told = (
        ("Verdict", f"{own.verdict} on {own.where}" if own.where else own.verdict),
        ("Why", own.why),
        ("What would do", own.setting),
        ("Weights", f"{_gib(own.weights)} a GPU" if own.weights else ""),
        ("KV cache", f"{own.kv / 1024:g} KiB a token, on each GPU" if own.kv else ""),
        ("Longest context", f"{own.longest} tokens" if own.longest else ""),
        ("Node's disk", f"{size(own.disk)} while the image is unpacked"),
    )
    return Section("GPU fit", facts=facts(told))


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def smoke(found: Results) -> Section:
    """Return how the endpoint answered the one question that it was asked."""
    own = found.endpoint
    if own is None:
        return Section("Smoke test")
    told = (
        ("First token", f"{own.first_token:.2f} s" if own.first_token else "not asked"),
        ("Then", f"{own.tokens_per_second:g} tokens a second" if own.tokens_per_second else ""),
        ("Ready after", duration(own.seconds)),
    )
    return Section("Smoke test", facts=facts(told))
