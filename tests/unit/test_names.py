import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.names import dns_name, image_tag


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Qwen2.5-0.5B", "qwen2-5-0-5b"),
        ("all-MiniLM-L6-v2", "all-minilm-l6-v2"),
        ("a__b..c", "a-b-c"),
        ("-x-", "x"),
        ("7B", "model-7b"),
        ("模型", "model"),
        ("", "model"),
        ("a" * 53, "a" * 53),
        ("a" * 54, "a" * 44 + "-a3f01b69"),
        ("a" * 43 + "." * 99 + "b" * 99, "a" * 43 + "-770616fa"),
    ],
)
def test_a_model_name_becomes_one_that_kubernetes_takes(text: str, name: str) -> None:
    assert dns_name(text) == name


@given(st.text())
def test_every_text_becomes_a_name_that_stays_itself(text: str) -> None:
    name = dns_name(text)
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?", name)
    assert dns_name(name) == name


def test_long_names_that_differ_at_their_end_stay_apart() -> None:
    assert dns_name("a" * 60 + "-awq") != dns_name("a" * 60 + "-gptq")


def test_a_tag_holds_the_version_and_the_commit() -> None:
    assert image_tag("1.0", "0123456789abcdef") == "1.0-0123456"
    assert image_tag("1.0", None) == image_tag("1.0", "") == "1.0"
