"""Runs whose reports the tests read, and a strict reader of HTML."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from modelcar import termination
from modelcar.fitting import recorded
from modelcar.gpu import Fit
from modelcar.run_summary import summary
from modelcar.values import (
    BuiltImage,
    Digest,
    Endpoint,
    ImageDigest,
    ImageFacts,
    ImageLayer,
    LeftOut,
    ModelFacts,
    ModelSource,
    ModelVersion,
    Moved,
    Plan,
    PlannedLayer,
    RunRecord,
    Snapshot,
    SourceFile,
    StageRecord,
    Status,
    to_json,
)

DIGEST = Digest("a" * 64)
COMMIT = "c" * 40
START = 1_800_000_000.0
FILE = SourceFile("model.safetensors", 90_868_376)

PLAN = Plan(
    model="minilm",
    version="1.0",
    source=ModelSource("hf", "org/MiniLM", "main"),
    commit=COMMIT,
    files=(FILE,),
    left_out=(LeftOut("model.bin", 90_900_000, "a pickle; safetensors are here"),),
    layers=(PlannedLayer((FILE,), 90_869_760),),
    bytes=Moved(90_868_376, 92_000_000, 1_500_000),
    warnings=("the repository names no licence",),
    facts=ModelFacts(license="apache-2.0", architecture="BertModel", card="words " * 900),
)
FIT = Fit(
    "tight",
    "1 x L4 (g6.4xlarge)",
    "4096 tokens need 1.0 GiB of KV cache, and 0.9 GiB is left",
    "set serving.max_model_len to 2048",
    weights=22 << 30,
    kv=12 << 10,
    longest=2048,
    least_parallel=1,
    disk=180_000_000,
)
PLANNED = recorded(PLAN, FIT)
SNAPSHOT = Snapshot(PLAN.source, COMMIT, "/pvc/x", (FILE,), downloaded=90_868_376)
BUILT = BuiltImage(
    image=ImageDigest("quay.io/org/minilm", DIGEST),
    reference="quay.io/org/minilm:1.0",
    layers=(
        ImageLayer(Digest("b" * 64), 8_000_000),
        ImageLayer(Digest("d" * 64), 500_000, ("a.json", "b.json", "c.json", "d.json")),
        ImageLayer(Digest("e" * 64), 90_869_760, ("model.safetensors",)),
    ),
    bytes=Moved(uploaded=91_000_000, reused=8_000_000),
    seconds=10.0,
    changed=True,
    facts=ImageFacts(
        COMMIT,
        3,
        99_000_000,
        {"license": "mit", "parameters": "22713216", "dtypes": "F32=22713000,I64=216"},
    ),
)
SERVED = Endpoint("minilm", "models", "https://minilm.example.com", 40.0, 0.23, 45.5)
VERSION = ModelVersion("minilm", "1.0", f"oci://quay.io/org/minilm@{DIGEST}", "1", "2", "3")


def stage(
    name: str,
    began: float,
    seconds: float,
    result: Any = None,
    status: Status = "succeeded",
    **texts: str,
) -> StageRecord:
    return StageRecord(
        name=name,
        status=status,
        started=START + began,
        seconds=seconds,
        result=to_json(result) or {},  # type: ignore[arg-type]  # a value's JSON is an object
        **texts,
    )


def whole_run(**results: Any) -> RunRecord:
    made = {
        "plan": PLANNED,
        "download": SNAPSHOT,
        "build": BUILT,
        "mirror": ImageDigest("mirror.example.com/minilm", DIGEST),
        "register": VERSION,
        "deploy": SERVED,
    } | results
    stages = [
        stage(name, 10.0 * number, 8.0, result, detail=f"{name} is done")
        for number, (name, result) in enumerate(made.items())
    ]
    return summary("minilm", "1.0", stages)


def failed_run(**more: Any) -> RunRecord:
    """Return a run of the command line whose deployment failed."""
    parts = {
        "what": "minilm is not ready",
        "why": "no node has a GPU; 6 were asked",
        "remedy": "add a node with nvidia.com/gpu",
    }
    told = {"name": "minilm", "namespace": "models", "evidence": ["INFO begins", "0/3 nodes"]}
    error = "{what}: {why}; {remedy}".format(**parts)
    stages = [
        stage("plan", 0, 1, PLANNED),
        stage("download", 1, 0, status="skipped", detail="the files go straight into the image"),
        stage("build", 1, 3, BUILT),
        stage("mirror", 4, 1, status="skipped", detail="the site file names no mirror"),
        stage("register", 4, 1, VERSION),
        stage("deploy", 5, 60, {**told, **parts, **more}, "failed", error=error),
    ]
    return replace(summary("minilm", "1.0", stages), asked="minilm")


def in_pods(run: RunRecord) -> RunRecord:
    """Return what the pods of a pipeline's run would tell of it."""
    messages = [json.dumps(termination.short(one), ensure_ascii=False) for one in run.stages]
    stages = [one for message in messages for one in termination.read(message)]
    found = summary(run.model, run.version, stages)
    return replace(found, pipeline_run="4f0c2a1e-7d1b-4c77-9a57-0f3f2f6b8c11")


def hostile_run(text: str, count: int) -> RunRecord:
    """Return a run whose every text is `text`, and whose every list has `count` items."""
    files = tuple(SourceFile(text, 1) for _ in range(count))
    plan = Plan(
        model=text,
        version=text,
        source=ModelSource("hf", text, text),
        commit=text,
        files=files,
        left_out=tuple(LeftOut(text, 1, text) for _ in range(count)),
        layers=(),
        bytes=Moved(),
        warnings=(text,) * count,
        facts=ModelFacts(text, text, text),
    )
    fit = Fit("does not fit", text, text, text)
    layers = tuple(ImageLayer(DIGEST, 1, (text,) * 5) for _ in range(count))
    told = dict.fromkeys(("license", "parameters", "dtypes", "quantization"), text)
    image, facts = ImageDigest(text, DIGEST), ImageFacts(text, 1, 1, told)
    built = replace(BUILT, image=image, reference=text, layers=layers, facts=facts)
    parts = {"remedy": text, "evidence": [text] * count}
    failed = [stage(text, n, 1, parts, "failed", error=text, detail=text) for n in range(count)]
    endpoint = Endpoint(text, text, text, 1.0, previous=text)
    stages = [
        stage("plan", 0, 1, recorded(plan, fit)),
        stage("build", 1, 1, built),
        stage("mirror", 2, 1, {"name": text, "digest": text}),
        stage("register", 2, 1, ModelVersion(text, text, text, text, text, text)),
        stage("deploy", 3, 1, endpoint),
        *failed,
    ]
    return replace(summary(text, text, stages), asked=text, pipeline_run=text)


class Reader(HTMLParser):
    """Collects tags and texts, and checks that every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())
