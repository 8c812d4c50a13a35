from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.mentions import Mention
from modelcar.oci.reference import Repository, TagReference
from modelcar.retention import FoundImage, Retention, plan, version_key
from modelcar.values import Digest

PLACE = Repository("quay.io", "org/tiny")


def digest(number: int) -> Digest:
    return Digest(f"{number:064x}")


def image(number: int, *tags: str, pushed: float | None = None) -> FoundImage:
    return FoundImage(digest(number), tags, pushed=pushed)


def index(number: int, *children: int, tags: tuple[str, ...] = ()) -> FoundImage:
    return FoundImage(digest(number), tags, children=tuple(map(digest, children)))


def mention(*numbers: int, by: str = "InferenceService a/b") -> Mention:
    return Mention(by, frozenset(map(digest, numbers)))


def deleted(retention: Retention) -> list[int]:
    return [int(item.digest.hex, 16) for item in retention.deleted]


def why(retention: Retention, number: int) -> str:
    return next(v.why for v in retention.verdicts if v.image.digest == digest(number))


def test_the_newest_versions_stay() -> None:
    images = [image(1, "1.9"), image(2, "1.10", "stable"), image(3, "1.2"), image(4, "latest")]

    found = plan(PLACE, images, [], 2)

    assert [int(item.image.digest.hex, 16) for item in found.verdicts] == [2, 1, 3, 4]
    assert deleted(found) == [3, 4]
    assert why(found, 1) == "among the 2 newest"
    assert why(found, 3) == "older than the 2 newest"


def test_a_push_on_record_counts_before_the_version() -> None:
    images = [image(1, "1", pushed=20.0), image(2, "2", pushed=10.0), image(3, "9")]

    assert deleted(plan(PLACE, images, [], 1)) == [2, 3]
    assert deleted(plan(PLACE, images, [], 2)) == [3]


def test_what_no_tag_names_is_older_than_what_one_does() -> None:
    images = [image(1, pushed=20.0), image(2, "1", pushed=10.0), image(3, "0.1")]

    assert deleted(plan(PLACE, images, [], 2)) == [1]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("v1.9", "1.10"),
        ("1.9", "v1.10"),
        ("1.9-fffffff", "1.10-0000000"),
        ("1.0-fffffff", "1.0.1-0000000"),
        ("1", "2-abc1234"),
        ("9", "10"),
        ("latest", "0.1"),
        ("q4", "q8"),
        ("2026-09-30", "2026-10-01"),
    ],
)
def test_tags_are_ordered_as_versions(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


def test_what_someone_names_stays_besides_the_newest() -> None:
    images = [image(1, "1"), image(2, "2"), image(3, "3"), image(4, "4")]

    found = plan(PLACE, images, [mention(1)], 1)

    assert deleted(found) == [3, 2]
    assert why(found, 1) == "named by InferenceService a/b"
    assert why(found, 4) == "among the 1 newest"


@pytest.mark.parametrize(
    ("reference", "going"),
    [
        (TagReference(PLACE, "1"), []),
        (TagReference(Repository("10.0.0.1:5000", "org/tiny"), "1"), []),
        (TagReference(PLACE, "3"), [1]),
        (TagReference(Repository("quay.io", "org/other"), "1"), [1]),
    ],
)
def test_a_tag_that_someone_names_keeps_its_image(
    reference: TagReference, going: list[int]
) -> None:
    named = Mention("InferenceService a/b", frozenset(), frozenset([reference]))

    assert deleted(plan(PLACE, [image(1, "1"), image(2, "2")], [named], 1)) == going


def test_what_modelcar_did_not_make_stays_and_takes_no_place() -> None:
    images = [image(1, "1"), replace(image(2, "9"), ours=False), image(3, "2")]

    found = plan(PLACE, images, [], 1)

    assert deleted(found) == [1]
    assert why(found, 2) == "not made by modelcar"


def test_an_index_and_its_images_are_one() -> None:
    images = [image(1), image(2), image(3), image(4)]
    images += [index(10, 1, 2, tags=("1",)), index(20, 3, 4, tags=("2",)), image(5, "0.5")]

    found = plan(PLACE, images, [], 1)

    assert deleted(found)[0] == 10
    assert sorted(deleted(found)) == [1, 2, 5, 10]
    assert why(found, 3) == f"part of {digest(20).short}"
    assert why(found, 1) == f"part of {digest(10).short}, which is older than the 1 newest"


def test_an_image_that_a_kept_index_shares_stays() -> None:
    images = [image(1), image(2), image(3)]
    images += [index(10, 1, 2, tags=("1",)), index(20, 2, 3, tags=("2",))]

    assert deleted(plan(PLACE, images, [], 1)) == [10, 1]


def test_each_index_goes_before_what_several_share() -> None:
    images = [image(1), index(10, 1, tags=("1",)), index(20, 1, 10, tags=("2",)), image(30, "3")]
    images.append(index(40, 1, tags=("0.9",)))

    found = deleted(plan(PLACE, images, [], 1))

    assert found[0] == 20
    assert found[-1] == 1
    assert sorted(found) == [1, 10, 20, 40]


def test_an_index_is_as_new_as_its_newest_image() -> None:
    images = [image(1, "3"), index(10, 1, tags=("1",)), image(2, "2")]

    assert deleted(plan(PLACE, images, [], 1)) == [2]


def test_an_index_that_holds_a_named_image_stays_whole() -> None:
    images = [image(1), image(2), index(10, 1, 2, tags=("1",)), image(3, "2")]

    found = plan(PLACE, images, [mention(1)], 1)

    assert deleted(found) == []
    assert why(found, 10) == f"holds {digest(1).short}, named by InferenceService a/b"
    assert why(found, 2) == f"part of {digest(10).short}"


@pytest.mark.parametrize(
    "images",
    [
        [image(1), replace(image(2), ours=False), index(10, 1, 2, tags=("1",))],
        [image(1), replace(index(10, 1, tags=("1",)), ours=False)],
        [index(10, 1, tags=("1",))],
    ],
    ids=["with a stranger's image", "with an entry that cannot be read", "without its images"],
)
def test_an_index_that_is_not_all_ours_stays(images: list[FoundImage]) -> None:
    assert deleted(plan(PLACE, [*images, image(99, "2")], [], 1)) == []


def test_an_empty_repository_has_nothing_to_decide() -> None:
    assert plan(PLACE, [], [mention(1)], 1) == Retention(PLACE, (), ())


@st.composite
def repositories(draw: st.DrawFn) -> list[FoundImage]:
    """Images by number, each of which may be an index of some with a smaller one or of absent."""
    found: list[FoundImage] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        smaller = st.integers(-2, number - 1).map(lambda n: n if n > 0 else 1000 - n)
        children = draw(st.one_of(st.just(set()), st.sets(smaller, max_size=3)))
        found.append(
            FoundImage(
                digest(number),
                tags=tuple(draw(st.lists(st.sampled_from(["1", "1.9", "1.10", "x"]), max_size=2))),
                ours=draw(st.integers(0, 4)) > 0,
                children=tuple(map(digest, sorted(children))),
                pushed=draw(st.none() | st.floats(0, 9)),
            )
        )
    return draw(st.permutations(found))


numbers = st.sets(st.integers(1, 14), max_size=3)


@given(repositories(), numbers, st.integers(1, 4))
def test_nothing_in_use_is_ever_deleted(
    images: list[FoundImage], named: set[int], keep: int
) -> None:
    found = plan(PLACE, images, [mention(*named)], keep)

    going = [item.digest for item in found.deleted]
    held = {item.digest: item for item in images}
    staying = held.keys() - set(going)
    assert {digest(number) for number in named}.isdisjoint(going)
    assert all(held[item].ours for item in going)
    for item in staying:
        assert set(held[item].children).isdisjoint(going), "a kept index is whole"
    for place, item in enumerate(going):
        assert set(held[item].children).isdisjoint(going[:place]), "an index goes first"
    tops = held.keys() - {child for item in images for child in item.children}
    assert sum(top in staying for top in tops) >= min(keep, len(tops))
    assert sorted(v.image.digest for v in found.verdicts) == sorted(held)
    assert {v.image.digest for v in found.verdicts if not v.keep} == set(going)


@given(repositories(), numbers, st.integers(1, 4))
def test_a_second_prune_deletes_nothing(
    images: list[FoundImage], named: set[int], keep: int
) -> None:
    going = {item.digest for item in plan(PLACE, images, [mention(*named)], keep).deleted}
    left = [item for item in images if item.digest not in going]

    assert plan(PLACE, left, [mention(*named)], keep).deleted == ()
