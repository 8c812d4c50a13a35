"""What is recorded of a version, before any server is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.errors import UsageError
from modelcar.model_registry import Record
from modelcar.model_registry.record import (
    NAME,
    TEXT,
    check_names,
    cut,
    difference,
    missing,
    stale,
)


def test_properties_without_a_value_are_left_out_and_labels_have_none() -> None:
    record = Record({"license": "mit", "library": ""}, labels=("chat", "license", "", "library"))

    assert record.texts() == {"license": "mit"}
    assert record.marks() == {"chat": ""}


def test_a_label_that_is_too_long_is_none() -> None:
    assert Record(labels=("x" * (NAME + 1), "y" * NAME)).marks() == {"y" * NAME: ""}


@pytest.mark.parametrize("text", ["", "short", "x" * TEXT, "中" * (TEXT // 3)])
def test_a_text_that_fits_stays(text: str) -> None:
    assert cut(text) == text


def test_a_long_text_ends_at_a_line() -> None:
    assert cut("first\n" * 3 + "second", limit=20) == "first\nfirst\n…"


def test_a_long_line_ends_where_it_must() -> None:
    assert cut("a\n" + "b" * 100, limit=20) == "a\n" + "b" * 14 + "\n…"


@given(st.text(alphabet=st.characters(codec=None)), st.integers(min_value=4, max_value=60))
def test_a_cut_text_is_a_beginning_in_whole_characters(text: str, limit: int) -> None:
    found = cut(text, limit)
    assert len(found.encode()) <= limit
    readable = text.encode("utf-8", "replace").decode()
    assert found == readable or readable.startswith(found.removesuffix("\n…"))


@pytest.mark.parametrize("name", ["", "x" * (NAME + 1), "a\nb", "a\x00", "模型"])
def test_a_name_that_no_server_takes_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"name '.*in the Model Registry: it .*; use 1 to 240"):
        check_names(("fine", name))


def test_names_of_printable_ascii_are_taken() -> None:
    check_names(("a b", "~", "x" * NAME))


def test_only_what_differs_is_missing() -> None:
    kept = {"a": "1", "b": "2", "c": None, "theirs": "x"}
    assert missing(kept, {"a": "1", "b": "3", "c": "4", "d": "5"}) == {"b": "3", "c": "4", "d": "5"}


def test_the_same_answer_again_is_no_news() -> None:
    first = {"verified_at": "1", "verified_url": "u", "verified_digest": "d"}
    later = {**first, "verified_at": "2"}
    moved = {**later, "verified_digest": "e"}

    assert missing({}, first) == first
    assert missing(dict(first), later) == {}
    assert missing(dict(first), moved) == {"verified_at": "2", "verified_digest": "e"}


def test_what_an_image_was_made_with_stays_as_first_recorded() -> None:
    kept: dict[str, str | None] = {"rules": "default", "modelcar_version": "1", "license": "x"}
    wanted = {"rules": "include *", "modelcar_version": "2", "license": "mit"}

    assert missing(kept, wanted) == {"license": "mit"}
    assert missing({}, wanted) == wanted


def test_a_move_leaves_nothing_of_the_former_image_behind() -> None:
    kept = {"license": "x", "mirror": "m", "verified_at": "t", "theirs": "y", "previous_uri": "u"}

    assert stale(dict(kept), moved=True, uri="v") == {"license", "mirror", "verified_at"}
    assert stale(dict(kept), moved=False, uri="v") == set()
    assert stale(dict(kept), moved=False, uri="u") == {"previous_uri"}


@pytest.mark.parametrize(
    ("kept", "wanted", "said"),
    [
        ({}, {"commit": "a" * 40}, "nothing is recorded of what the former was made from"),
        (
            {"commit": "a" * 40},
            {"commit": "b" * 40},
            "commit aaaaaaaaaaaa there, bbbbbbbbbbbb here",
        ),
        (
            {"commit": "a", "base": "sha256:" + "1" * 64, "rules": "default"},
            {"commit": "a", "rules": "include *.md, allow pickle"},
            "base 111111111111 there, none here; rules default there, include *.md, allow pickle h",
        ),
        ({"modelcar_version": "1.0"}, {"modelcar_version": "1.1"}, "version of modelcar 1.0 there"),
        ({"commit": "a"}, {"commit": "a"}, "commit, base and rules are the same"),
    ],
)
def test_what_differs_between_two_images_is_said(
    kept: dict[str, str | None], wanted: dict[str, str], said: str
) -> None:
    assert difference(kept, wanted).startswith(said)
