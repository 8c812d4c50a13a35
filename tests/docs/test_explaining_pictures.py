"""The pictures of how it works: what their scripts draw, legible, and told in words."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from modelcar.oci.image import LAYER_KEY
from scripts import digest_picture, layers_picture, reuse_picture
from scripts.picture_shapes import Shape, Text
from tests.pipeline.compiled_file import ROOT

SVG = "{http://www.w3.org/2000/svg}"
SHOWN = {
    digest_picture.PATH: "docs/how-it-works/one-digest.md",
    layers_picture.PATH: "docs/how-it-works/layers.md",
    reuse_picture.PATH: "docs/how-it-works/reuse.md",
}


@pytest.fixture(scope="module")
def built() -> layers_picture.Built:
    return layers_picture.built()


def drawn(built: layers_picture.Built) -> Iterator[tuple[str, str, list[Shape]]]:
    yield digest_picture.PATH, digest_picture.picture(), list(digest_picture.shapes())
    yield layers_picture.PATH, layers_picture.picture(built), list(layers_picture.shapes(built))
    yield reuse_picture.PATH, reuse_picture.picture(), list(reuse_picture.shapes())


def test_each_is_what_its_script_draws_and_fits_on_the_page(built: layers_picture.Built) -> None:
    for path, text, shapes in drawn(built):
        assert (ROOT / path).read_text() == text, path
        root = ElementTree.fromstring(text)
        words = [root.findtext(f"{SVG}{name}") or "" for name in ("title", "desc")]
        assert all(words), path
        right, bottom = int(root.attrib["width"]), int(root.attrib["height"])
        for shape in shapes:
            if isinstance(shape, Text):
                assert shape.bounds[2] <= right, shape
                assert shape.bounds[3] <= bottom, shape


def test_the_image_is_as_its_page_says(built: layers_picture.Built) -> None:
    small, *large = built.layers
    assert small.paths == tuple(sorted(layers_picture.TEXTS))
    assert [layer.paths for layer in large] == [(name,) for name in layers_picture.SHARDS]
    assert all(told >= {LAYER_KEY} for told in built.annotations)


@pytest.mark.parametrize("picture", SHOWN)
def test_its_page_shows_it_with_words_for_who_does_not_see_it(picture: str) -> None:
    page = (ROOT / SHOWN[picture]).read_text()
    _, _, shown = page.partition("![")
    words, _, rest = shown.partition("](")
    assert len(words) > 60
    target = Path(SHOWN[picture]).parent / rest.partition(")")[0]
    assert (ROOT / target).resolve() == ROOT / picture
