"""A hostile endpoint: what stands where a model should answer, on the real command line."""

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.campaigns.hostile import (
    Change,
    Changing,
    Done,
    always,
    cases,
    endless,
    modelcar,
    nested,
)
from tests.servers.kserve import KServe
from tests.servers.kube import KubeServer
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response
from tests.servers.vllm import CHAT, COMPLETIONS, EMBEDDINGS, VllmServer
from tests.serving_site import Site

NAME, MODELS = "tiny", "/v1/models"
ESCAPE = "\x1b[2J\nmodelcar: all is well\ud800"
MEGABYTE = "x" * (1 << 20)
STREAM = b"data: "


class HostileVllm(Changing, VllmServer):
    """Where vLLM should listen, and something else does."""


class NoImages(LoopbackServer):
    """An OCI registry that shows no image: then the fit is not checked."""

    def answer(self, request: Request) -> Response:
        return Response(404)


def body(content: bytes, status: int = 200) -> Change:
    return always(Response(status, {"Content-Type": "application/json"}, Bytes(content)))


def told(value: Any, status: int = 200) -> Change:
    return body(json.dumps(value).encode(), status)


def events(*values: Any) -> Change:
    """Return an answer to a completion whose events say these."""
    return body(b"".join(STREAM + json.dumps(value).encode() + b"\n\n" for value in values))


def words(*choices: Any, **more: Any) -> Change:
    return events(*({"choices": [choice], **more} for choice in choices))


WORD = {"choices": [{"text": "Hi"}]}
ODD: dict[str, Change] = {
    "not-json": body(b"<html>\x1b[2J</html>"),
    "not-utf-8": body(b'data: "\xff"'),
    "null": body(b"null"),
    "nested-deeply": body(nested(100_000)),
    "endless": always(endless()),
    "endless-refusal": always(endless(status=500)),
    "endless-refusal-of-a-router": always(endless(status=503)),
    "endless-lines": always(endless(b"", b"data: {}\n" * 1000)),
    "refusal-that-steers-the-terminal": told({"message": ESCAPE}, 500),
    "redirect-loop": lambda request, answered: Response(302, {"Location": request.target}),
    "no-charset": always(Response(200, {"Content-Type": "text/x; charset=none"}, Bytes(b"\xff"))),
}
LISTS: dict[str, Change] = {
    "a-list": told([]),
    "data-is-a-number": told({"data": 5}),
    "data-is-null": told({"data": None}),
    "entries-are-texts": told({"data": [NAME]}),
    "names-of-other-types": told({"data": [{"id": 5}, {"id": [NAME]}, {}]}),
    "names-that-steer-the-terminal": told({"data": [{"id": ESCAPE}]}),
    "names-of-megabytes": told({"data": [{"id": MEGABYTE}, {"id": MEGABYTE}]}),
    "names-without-end": told({"data": [{"id": f"m{at}"} for at in range(100_000)]}),
}
STREAMS: dict[str, Change] = {
    "events-are-numbers": events(5),
    "error-that-steers-the-terminal": events({"error": {"message": ESCAPE}}),
    "error-of-a-megabyte": events({"error": MEGABYTE}),
    "error-of-nothing": events({"error": None}),
    "choices-are-a-number": events({"choices": 5}),
    "choices-are-texts": words("a"),
    "text-is-a-number": words({"text": 5}),
    "delta-is-a-list": words({"delta": ["a"]}),
    "usage-is-a-list": events({"choices": [], "usage": [1]}),
    "event-of-a-megabyte-of-brackets": body(STREAM + nested(500_000)),
    "number-of-10000-digits": body(STREAM + b'{"choices": ' + b"9" * 10_000 + b"}"),
}
ANSWERED: dict[str, Change] = {
    "text-that-steers-the-terminal": words({"text": ESCAPE}),
    "text-of-a-megabyte": words({"text": MEGABYTE}),
    "usage-is-a-text": events(WORD, {"usage": "many"}),
    "tokens-without-number": events(WORD, {"usage": {"completion_tokens": 10**400}}),
    "tokens-below-none": events(WORD, {"usage": {"completion_tokens": -5}}),
    "tokens-are-a-list": events(WORD, {"usage": {"completion_tokens": [1]}}),
}
VECTORS: dict[str, Change] = {
    "data-is-a-number": told({"data": 5}),
    "no-embedding": told({"data": [{"embedding": []}]}),
    "embedding-is-a-text": told({"data": [{"embedding": "a"}]}),
    "embedding-is-a-number": told({"data": [{"embedding": 5}]}),
    "entries-are-texts": told({"data": ["a"]}),
}
REFUSED = {
    f"{path.rpartition('/')[2]}-{name}": (path, change)
    for paths, changes in (
        ((MODELS, COMPLETIONS, CHAT, EMBEDDINGS), ODD),
        ((MODELS,), LISTS),
        ((COMPLETIONS, CHAT), STREAMS),
        ((EMBEDDINGS,), VECTORS),
    )
    for path in paths
    for name, change in changes.items()
}
Deploy = Callable[..., Done]


@pytest.fixture(scope="module")
def served(
    kube: KubeServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[HostileVllm, Deploy]]:
    """Return an endpoint, and what deploys a model that it should serve."""
    folder, namespace = tmp_path_factory.mktemp("endpoint"), f"ml-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    (folder / "models").mkdir()
    catalog = {"name": NAME, "source": "hf://example/tiny", "version": "1", "revision": "a" * 40}
    (folder / "models/tiny.yaml").write_text(yaml.safe_dump(catalog), encoding="utf-8")
    with (
        HostileVllm(NAME) as vllm,
        NoImages() as images,
        KServe(kube, namespace, vllm.url),
    ):
        Site(kube, namespace, vllm).add_runtime()
        image = f"{images.url.removeprefix('http://')}/a/b@sha256:{'a' * 64}"
        variables = {"KUBECONFIG": str(kube.kubeconfig(namespace=namespace))}
        argv = ("deploy", NAME, "--image", image, "--ignore-fit")
        yield vllm, lambda: modelcar(folder, *argv, **variables)


@pytest.mark.parametrize(("path", "change"), cases(REFUSED, 6))
def test_what_is_no_endpoint_is_said_to_be_none(
    served: tuple[HostileVllm, Deploy], path: str, change: Change
) -> None:
    vllm, deploy = served
    vllm.changes, vllm.tasks = {f" {path}": change}, (path,)
    deploy().refused(f"asking {vllm.url}{path}")


@pytest.mark.parametrize("change", cases(ANSWERED, 2))
def test_a_token_is_an_answer_whatever_is_said_beside_it(
    served: tuple[HostileVllm, Deploy], change: Change
) -> None:
    vllm, deploy = served
    vllm.changes, vllm.tasks = {f" {COMPLETIONS}": change}, (COMPLETIONS,)
    assert deploy().well().stdout.strip() == vllm.url
