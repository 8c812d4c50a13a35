from pathlib import Path

import pytest

from modelcar.pushed import PushedImages
from modelcar.values import Digest
from modelcar.workfolder import WorkFolder

ONE, TWO = Digest("ab" * 32), Digest("cd" * 32)
HERE, MIRROR = "quay.io/org/tiny", "mirror.example/org/tiny"


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path / "not" / "yet")


def test_pushes_are_remembered_by_the_next_process(work: WorkFolder) -> None:
    images = PushedImages.of(work)
    images.put(HERE, "1", ONE, 10.0)
    images.put(HERE, "2", TWO, 20.5)

    for known in (images, PushedImages.of(work)):
        assert (known.when(HERE, ONE), known.when(HERE, TWO)) == (10.0, 20.5)
        assert known.digests(HERE) == {ONE, TWO}


def test_the_latest_push_of_a_digest_counts(work: WorkFolder) -> None:
    images = PushedImages.of(work)
    for at in (10.0, 30.0, 20.0):
        images.put(HERE, "1", ONE, at)

    assert images.when(HERE, ONE) == PushedImages.of(work).when(HERE, ONE) == 20.0


def test_a_mirror_takes_the_time_of_its_source_unless_it_has_its_own(work: WorkFolder) -> None:
    images = PushedImages.of(work)
    images.put(HERE, "1", ONE, 10.0)
    assert images.when(MIRROR, ONE) == 10.0
    assert images.digests(MIRROR) == frozenset()

    images.put(MIRROR, "1", ONE, 5.0)
    assert (images.when(MIRROR, ONE), images.when(HERE, ONE)) == (5.0, 10.0)


def test_what_was_never_pushed_has_no_time(work: WorkFolder) -> None:
    assert PushedImages.of(work).when(HERE, ONE) is None
    assert PushedImages.of(work).digests(HERE) == frozenset()


def test_what_is_left_without_a_tag_is_found_and_has_no_time(work: WorkFolder) -> None:
    images = PushedImages.of(work)
    images.put(HERE, "1", ONE, 10.0)
    for _ in range(2):
        images.leave(HERE, ONE)
        images.leave(HERE, TWO)

    again: PushedImages = PushedImages.of(work)
    assert again.digests(HERE) == {ONE, TWO}
    assert (again.when(HERE, ONE), again.when(HERE, TWO)) == (10.0, None)
    journal = work.root / ".modelcar" / "images.jsonl"
    assert len(journal.read_text().splitlines()) == 2
