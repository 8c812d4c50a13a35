"""The JSON Schemas: they are what the library gives, and refuse nothing that `check` takes."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from ruamel.yaml import YAML

from modelcar import faults, schemas
from modelcar.cli import main
from modelcar.errors import CatalogError
from modelcar.faults import Strict
from scripts.schemas import files

ROOT = Path(__file__).resolve().parents[2]
CATALOG = sorted((ROOT / "models").glob("*.yaml"))
SITE = [ROOT / "site.example.yaml"]
LINE = "# yaml-language-server: $schema="


def validator(kind: str) -> Any:
    return Draft202012Validator(json.loads(schemas.text(kind)))


@pytest.mark.parametrize(("path", "text"), [*files()], ids=lambda value: getattr(value, "name", ""))
def test_the_committed_file_is_what_the_library_gives(path: Path, text: str) -> None:
    assert path.read_text() == text, "run `make schemas`"


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_it_is_a_schema_to_the_drafts_that_editors_know(kind: str) -> None:
    schema = json.loads(schemas.text(kind))
    Draft202012Validator.check_schema(schema)
    Draft7Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("path", [*CATALOG, *SITE], ids=lambda path: path.name)
def test_each_example_passes_and_names_its_schema(path: Path) -> None:
    kind = "site" if path in SITE else "catalog"
    first = path.read_text().splitlines()[0]
    assert (path.parent / first.removeprefix(LINE)).name == schemas.FILES[kind]
    assert (path.parent / first.removeprefix(LINE)).is_file()
    assert list(validator(kind).iter_errors(YAML(typ="safe").load(path))) == []


def fields(schema: type[Strict]) -> list[tuple[str, str]]:
    inner = [one.annotation for one in schema.model_fields.values()]
    nested = [one for one in inner if isinstance(one, type) and issubclass(one, Strict)]
    own = [(name, one.description or "") for name, one in schema.model_fields.items()]
    return own + [field for one in nested for field in fields(one)]


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_every_field_has_a_description_of_its_own(kind: str) -> None:
    said = [text for _, text in fields(schemas.KINDS[kind])]
    assert [text for text in said if not text.endswith(".")] == []
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_the_command_prints_it(kind: str) -> None:
    done = CliRunner().invoke(main, ["schema", kind])
    assert (done.exit_code, done.output) == (0, schemas.text(kind))


REFUSED = [
    ("catalog", {"name": "Tiny"}),
    ("catalog", {"name": None}),
    ("catalog", {"version": 1.0}),
    ("catalog", {"version": "1 0"}),
    ("catalog", {"source": "org/name"}),
    ("catalog", {"commit": "main"}),
    ("catalog", {"gpus": 1}),
    ("catalog", {"files": {"allow_pickle": "yes"}}),
    ("catalog", {"files": {"include": [" "]}}),
    ("catalog", {"serving": {"gpus": -1}}),
    ("catalog", {"serving": {"gpus": "1"}}),
    ("catalog", {"serving": {"memory": "48GB"}}),
    ("catalog", {"gpu": None}),
    ("catalog", {"serving": {"gpu": None}}),
    ("catalog", {"serving": {"cpu": True}}),
    ("catalog", {"serving": {"node_selector": {"a b": "x"}}}),
    ("catalog", {"serving": {"node_selector": {"/x": "x"}}}),
    ("catalog", {"serving": {"node_selector": {"team": 1}}}),
    ("catalog", {"serving": {"tolerations": ["a=b:Never"]}}),
    ("catalog", {"serving": {"hardware_profile": "a/b/c"}}),
    ("catalog", {"serving": {"runtime": "My Runtime"}}),
    ("site", {"namespace": "My_Space"}),
    ("site", {"pvc": ""}),
    ("site", {"model_registry": "registry.example.com"}),
    ("site", {"hub": ""}),
    ("site", {"chunk_size": "100MB"}),
    ("site", {"platforms": "linux/amd64"}),
    ("site", {"images": {"skope": "x"}}),
]
LEAST: dict[str, Any] = {"name": "small", "source": "hf://org/Small", "version": "1.0"}


@pytest.mark.parametrize(("kind", "change"), REFUSED, ids=[str(change) for _, change in REFUSED])
def test_a_bad_field_is_refused_in_the_editor_and_by_check(
    kind: str, change: dict[str, Any]
) -> None:
    document = {**LEAST, **change} if kind == "catalog" else change
    assert refused(kind, document)
    assert list(validator(kind).iter_errors(document))


def refused(kind: str, document: dict[str, Any]) -> bool:
    """Return whether `modelcar check` has a fault to tell; JSON is YAML too."""
    try:
        faults.parse(Path("x.yaml"), json.dumps(document)).validate(schemas.KINDS[kind])
    except CatalogError:
        return True
    return False


WORDS = """
    a A 1 1.0 4Gi 0 500m a/b /x a.b/c-d x=y:NoSchedule x:Never hf://o/n hf://o/n@v1 file:///x
    https://h HTTP://h quay.io/o --max-num-seqs=4 linux/amd64 20G 1e3 - _a vllm
"""
TEXTS = st.sampled_from(["", " ", "f" * 40, "a" * 60, *WORDS.split()])
LEAVES = TEXTS | st.none() | st.booleans() | st.integers(-2, 1 << 32) | st.floats(-1, 1e9)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


def documents(schema: type[Strict]) -> st.SearchStrategy[dict[str, Any]]:
    """Return documents of known fields and one unknown, with right and wrong values."""
    found: dict[str, st.SearchStrategy[Any]] = {"unknown": VALUES}
    for name, field in schema.model_fields.items():
        inner = field.annotation
        nested = isinstance(inner, type) and issubclass(inner, Strict)
        found[name] = documents(inner) | VALUES if nested else VALUES  # type: ignore[arg-type]
    one = st.sampled_from(sorted(found)).flatmap(lambda name: st.tuples(st.just(name), found[name]))
    return st.lists(one, max_size=2).map(dict)


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_what_the_schema_refuses_check_refuses_too(kind: str) -> None:
    held = validator(kind)
    base = LEAST if kind == "catalog" else {}

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(documents(schemas.KINDS[kind]))
    def tried(changes: dict[str, Any]) -> None:
        document = {**base, **changes}
        if not refused(kind, document):
            assert [error.message for error in held.iter_errors(document)] == []

    tried()
