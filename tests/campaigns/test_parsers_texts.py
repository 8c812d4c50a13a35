"""Every parser of a text: a value of its type, or an error of ours; never anything else."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict, HTTPResponse

from modelcar import (
    connections,
    names,
    parameters,
    quantity,
    site,
    trust,
    vllm_arguments,
    wording,
)
from modelcar.bootstrap import env_file
from modelcar.dsp import cron
from modelcar.errors import ModelCarError
from modelcar.formats import Part, foreign, is_weight
from modelcar.image_fit import _elements
from modelcar.listing import path_fault
from modelcar.model_registry import Connection
from modelcar.oci import reference
from modelcar.oci.auth import find
from modelcar.oci.http import Session, parse_challenge
from modelcar.oci.platform import Platform
from modelcar.oci.reference import Repository, TagReference
from modelcar.oci.upload import _held
from modelcar.ranged import _begin
from modelcar.retention import version_key
from modelcar.retries import backoff
from modelcar.serving_parameters import serving
from modelcar.skopeo_copy import compare
from modelcar.values import Digest, ModelSource, is_commit
from tests.campaigns.extent import examples

Parser = Callable[[str], Any]
REPOSITORY = Repository("127.0.0.1:5000", "a/b")
HEX = "a" * 64
NUMBERS = ["", "0", "-1", "9" * 18, "9" * 5000, "1e999", "NaN", "\u00b2", " 5 ", "0x5", "1_0"]
PIECES = [
    *("hf://", "file:///", "oci:", "https://", "http://[::1", ":99999", "@", "/", "..", "//", "#"),
    *("org/name", f"sha256:{HEX}", "bytes=0-", "bytes 5-9/20", "0-5", "Bearer realm=", '"', ","),
    *("linux/amd64", "48Gi", "m", "BF16=5", "--dtype", "=", "*", "*/", "1-5", "jan", "%41", "?a=b"),
    *("model-00001-of-00002.safetensors", ".index.json", "fp16/", "\0", "\n", "\r\n", "\x1b[2J"),
    *(
        "\ud800",
        "\udc80",
        "\u202e",
        "\uff48\u2100",
        "💥",
        "a" * 300,
        "true",
        "null",
        "[",
        "{",
        "'",
        "\\",
    ),
    *("user:secret@", "quay.io", "localhost", "127.0.0.1:5000", ":tag", ".svc:5000", "-", "+", "_"),
]
texts = st.one_of(
    st.text(st.characters(codec=None), max_size=60),
    st.lists(st.one_of(st.sampled_from([*PIECES, *NUMBERS]), st.text(max_size=5)), max_size=6).map(
        "".join
    ),
)
headers = texts.map(lambda text: text.encode("latin-1", "ignore").decode("latin-1"))


def response(name: str, text: str, status: int = 206) -> HTTPResponse:
    return HTTPResponse(b"", HTTPHeaderDict({name: text}), status)


def of_serving(text: str) -> Any:
    fields = dict.fromkeys(
        ("gpu_count", "tensor_parallel_size", "max_model_len"), text
    ) | dict.fromkeys(
        ("cpu_request", "memory_request", "memory_limit", "node_selector_label", "vllm_args"), text
    )
    others = ("serving_runtime", "tolerations", "hardware_profile", "pull_secret")
    return serving(**fields, **dict.fromkeys(others, text))


def session(text: str) -> Any:
    found = Session(REPOSITORY, lambda _: None)
    found._root = "http://127.0.0.1:5000"
    assert isinstance(found.is_own(text), bool)
    return found.joined("http://127.0.0.1:5000/v2/", text)


def copied(text: str) -> Any:
    return compare(TagReference(REPOSITORY, "1"), Digest(HEX), Digest.parse(text))


def meant(text: str) -> Any:
    found = quantity.meant(text)
    assert found is None or quantity.parse(found) is not None
    return found


PARSERS: dict[str, Parser] = {
    "digest": Digest.parse,
    "digest-of-a-stranger": Digest.read,
    "commit": is_commit,
    "model-source": ModelSource.parse,
    "model-name": names.dns_name,
    "model-of-a-uri": names.model_of,
    "reference": reference.parse,
    "reference-by-digest": reference.parse_image,
    "reference-by-tag": reference.parse_tag,
    "tag": reference.is_tag,
    "platform": Platform.parse,
    "login-at": lambda text: find(Repository(text, "x")),
    "skopeo's-digest": copied,
    "quantity": quantity.parse,
    "quantity-that-is-meant": meant,
    "path": path_fault,
    "weight": is_weight,
    "weight-part": Part.parse,
    "foreign-file": foreign,
    "line": wording.line,
    "shown": wording.shown,
    "markdown": wording.markdown,
    "words-of-a-shell": lambda text: parameters.words("x", text),
    "switch": lambda text: parameters.switch("x", text),
    "serving-parameters": of_serving,
    "model-parameters": lambda text: parameters.model(text, text, text, text),
    "target-parameters": lambda text: parameters.target(text, text, names.model_of("hf://a/b"), ""),
    "vllm-arguments": lambda text: vllm_arguments.value((text,), "--dtype"),
    "dtypes-of-an-image": _elements,
    "version-of-a-tag": version_key,
    "cron": cron.six_fields,
    "cron-steps": lambda text: cron.six_fields(f"0 */{text} * * *"),
    "proxy": connections.address,
    "proxy-for": lambda text: connections.proxy_for(f"https://host:{text}"),
    "loopback": trust.is_loopback,
    "token": trust.is_token,
    "model-registry": Connection,
    "redirect": session,
}
HEADERS: dict[str, Parser] = {
    "challenge": parse_challenge,
    "retry-after": lambda text: backoff(0, text),
    "content-range": lambda text: _begin(response("Content-Range", text)),
    "range-of-an-upload": lambda text: _held(response("Range", text), asked=True),
}


def hold(parser: Parser, text: str) -> None:
    try:
        parser(text)
    except ModelCarError as error:
        assert len(str(error)) < 50_000


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@settings(max_examples=examples(30, 500), print_blob=True, deadline=None)
@given(text=texts)
def test_a_text_gives_a_value_or_an_error_of_ours(parser: Parser, text: str) -> None:
    hold(parser, text)


@pytest.mark.parametrize("number", NUMBERS, ids=ascii)
@pytest.mark.parametrize("parser", (PARSERS | HEADERS).values(), ids=PARSERS | HEADERS)
def test_a_strange_number_gives_a_value_or_an_error_of_ours(parser: Parser, number: str) -> None:
    for text in (number, f"*/{number}", f"0-{number}", f"bytes {number}-5/9", f"a={number}"):
        hold(parser, text)


@pytest.mark.parametrize("parser", HEADERS.values(), ids=HEADERS)
@settings(max_examples=examples(30, 500), print_blob=True, deadline=None)
@given(text=headers)
def test_a_header_gives_a_value_or_an_error_of_ours(parser: Parser, text: str) -> None:
    hold(parser, text)


@settings(max_examples=examples(30, 500), print_blob=True, deadline=None)
@given(texts)
def test_what_is_shown_cannot_steer_a_terminal_and_can_be_written(text: str) -> None:
    shown = wording.shown(text)
    assert "\x1b" not in shown and "\r" not in shown and "\x9b" not in shown
    assert len(shown) == len(text)
    shown.encode()


@settings(max_examples=examples(30, 500), print_blob=True, deadline=None)
@given(texts)
def test_a_source_and_a_reference_are_read_back_as_they_were(text: str) -> None:
    for parse in (ModelSource.parse, reference.parse_tag, reference.parse_image):
        try:
            found = parse(text)
        except ModelCarError:
            continue
        again = found.uri if isinstance(found, ModelSource) else str(found)
        back = parse(again)
        assert str(getattr(back, "location", back)) == str(getattr(found, "location", found))


@settings(max_examples=examples(30, 500), print_blob=True, deadline=None)
@given(texts)
def test_a_site_s_fields_are_texts_that_are_taken_or_refused(text: str) -> None:
    for check in (site._place, site._url, site._hub, site._image, site._base, site._dns, site._pvc):
        try:
            assert isinstance(check(text), str)
        except ValueError as error:
            assert str(error)


@settings(max_examples=examples(50, 500), print_blob=True, deadline=None)
@given(st.binary(max_size=200) | texts.map(lambda text: f"HF_TOKEN={text}".encode(errors="ignore")))
def test_an_env_file_gives_texts_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.env"
    path.write_bytes(content)
    try:
        assert all(isinstance(value, str) for value in env_file.read(path).values())
    except ModelCarError as error:
        assert str(path) in str(error)
