"""A hostile Model Registry: what it answers, on the real command line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.byte_path import safetensors, write
from tests.campaigns.hostile import (
    Change,
    Changing,
    always,
    as_json,
    cases,
    endless,
    modelcar,
    nested,
)
from tests.servers.loopback import Bytes, Request, Response
from tests.servers.model_registry import ModelRegistryServer

FILES = {"README.md": b"# x", "config.json": b"{}", "model.safetensors": safetensors(600)}
ESCAPE = "\x1b[2J\nmodelcar: all is well\ud800"


class HostileModelRegistry(Changing, ModelRegistryServer):
    """A Model Registry whose answers are changed: it does not keep to the published interface."""

    def __init__(self, state: Path) -> None:
        super().__init__(newer=True, state=state)


def items(**fields: Any) -> dict[str, Change]:
    """Return lists whose items have other fields."""
    return {
        "GET /": as_json(
            lambda told: (
                {**told, "items": [{**item, **fields} for item in told["items"]]}
                if "items" in told
                else told
            )
        )
    }


def lists(**fields: Any) -> dict[str, Change]:
    return {"GET /": as_json(lambda told: {**told, **fields} if "items" in told else told)}


def found(**fields: Any) -> dict[str, Change]:
    """Return what is looked up by name with other fields."""
    return {"GET /": as_json(lambda told: told if "items" in told else {**told, **fields})}


def body(content: bytes, status: int = 200, kind: str = "application/json") -> dict[str, Change]:
    return {"/": always(Response(status, {"Content-Type": kind}, Bytes(content)))}


def pages_without_end(request: Request, answered: Response) -> Response:
    at = int(request.query.get("nextPageToken") or "0") + 1
    return Response.json({"items": [], "size": 0, "pageSize": 1, "nextPageToken": str(at)})


ANSWERS: dict[str, dict[str, Change]] = {
    "not-json": body(b"<html>\x1b[2J</html>", kind="text/html"),
    "not-utf-8": body(b'"\xff"'),
    "a-charset-that-is-none": body(b"{}", kind="application/json; charset=x-none"),
    "null": body(b"null"),
    "a-list": body(b"[]"),
    "empty-body": body(b""),
    "nested-deeply": body(nested(100_000)),
    "number-of-10000-digits": body(b'{"items": ' + b"9" * 10_000 + b"}"),
    "endless": {"/": always(endless())},
    "endless-refusal": {"/": always(endless(status=403))},
    "refusal-that-steers-the-terminal": body(json.dumps({"message": ESCAPE}).encode(), 403),
    "refusal-nested-deeply": body(nested(100_000), 403),
    "refusal-of-a-list": body(b'{"message": [1]}', 403),
    "items-are-a-number": lists(items=5),
    "items-are-texts": lists(items=["a"]),
    "items-are-an-object": lists(items={"a": 1}),
    "items-are-null": lists(items=None),
    "token-is-a-list": lists(nextPageToken=["a"]),
    "token-is-an-object": lists(nextPageToken={"a": 1}),
    "token-is-a-number": lists(nextPageToken=5),
    "token-that-comes-again": lists(nextPageToken="a"),
    "token-of-a-lone-surrogate": lists(nextPageToken="\ud800"),
    "pages-without-end": {"GET /": pages_without_end},
    "item-without-an-id": items(id=None),
    "item-whose-id-is-a-number": items(id=5),
    "item-whose-id-is-no-number": items(id="abc"),
    "item-whose-id-leads-elsewhere": items(id="../../x"),
    "item-whose-id-has-5000-digits": items(id="9" * 5000),
    "item-whose-id-is-a-lone-surrogate": items(id="\ud800"),
    "item-whose-id-steers-the-terminal": items(id=ESCAPE),
    "item-that-steers-the-terminal": items(name=ESCAPE, state=ESCAPE, modelSourceName=ESCAPE),
    "item-of-other-types": items(name=5, state=[], uri={}, customProperties=[1]),
    "item-made-never": items(createTimeSinceEpoch=[1]),
    "item-made-at-infinity": items(createTimeSinceEpoch=float("inf")),
    "item-made-at-no-number": items(createTimeSinceEpoch=float("nan")),
    "item-made-at-5000-digits": items(createTimeSinceEpoch="9" * 5000),
    "item-made-before-time": items(createTimeSinceEpoch=-(10**30)),
    "properties-that-are-none": items(customProperties={"a": 5, "verified_digest": {"x": []}}),
    "properties-nested": items(customProperties={"a": {"string_value": [[[1]]]}}),
    "uri-that-steers-the-terminal": items(uri=ESCAPE),
    "uri-of-a-megabyte": items(uri="x" * (1 << 20)),
    "found-without-an-id": found(id=None),
    "found-with-an-id-of-another-type": found(id=[1]),
    "found-with-an-id-that-steers-the-terminal": found(id=ESCAPE),
    "found-in-a-state-that-is-none": found(state=5),
    "found-with-properties-of-a-type-that-is-none": found(customProperties={"a": {"b": 1}}),
    "found-with-properties-in-a-list": found(customProperties=[1]),
    "found-with-a-description-of-another-type": found(description={"a": 1}),
    "written-but-answered-with-nonsense": {"POST /": always(Response.json([1], 201))},
    "written-but-answered-without-end": {"POST /": always(endless(status=201))},
    "redirect-loop": {"/": lambda request, answered: Response(302, {"Location": request.target})},
    "redirect-to-a-file": {"/": always(Response(302, {"Location": "file:///etc/passwd"}))},
    "redirect-to-half-an-address": {"/": always(Response(302, {"Location": "http://[::1"}))},
}
VERBS = ("versions", "register")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """Return a model's folder as a source, its image, and what a server that has both keeps."""
    folder = tmp_path_factory.mktemp("built")
    write(folder / "model", FILES)
    source, place = f"file://{folder}/model", f"oci:{folder}/image:1"
    done = modelcar(folder, "build", source, "--to", place, "--base", "scratch")
    image = done.well().stdout.strip()
    with ModelRegistryServer(state=folder / "state.json") as server:
        named = ["--image", image, "--model-registry", server.url]
        modelcar(folder, "register", source, *named).well()
    return source, image, folder / "state.json"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("changes", cases(ANSWERS, 3))
def test_an_answer_that_is_none_of_a_model_registry_ends_in_one_line(
    tmp_path: Path, built: tuple[str, str, Path], verb: str, changes: dict[str, Change]
) -> None:
    source, image, state = built
    named = {"versions": ["model"], "register": [source, "--image", image]}
    with HostileModelRegistry(Path(shutil.copy(state, tmp_path))) as server:
        server.changes = changes
        done = modelcar(tmp_path, verb, *named[verb], "--model-registry", server.url)
    if done.code:
        done.refused("Model Registry")
    done.sound()
