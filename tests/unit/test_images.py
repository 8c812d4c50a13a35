import re

import pytest

from modelcar import images

DEFAULTS = {name: value for name, value in vars(images).items() if name.isupper()}


def test_there_is_a_default_for_each_use() -> None:
    assert set(DEFAULTS) == {"BASE", "PYTHON", "SKOPEO"}


@pytest.mark.parametrize("image", DEFAULTS.values(), ids=DEFAULTS.keys())
def test_a_default_image_names_host_repository_and_digest(image: str) -> None:
    form = r"[a-z0-9-]+(\.[a-z0-9-]+)+/[a-z0-9-]+(/[a-z0-9-]+)*(:[\w.-]+)?@sha256:[0-9a-f]{64}"
    assert re.fullmatch(form, image)
