"""Which addresses of a Model Registry are taken, and as what."""

import pytest

from modelcar.errors import UsageError
from modelcar.model_registry import Connection


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("registry.example", "https://registry.example"),
        ("registry.example:8443/", "https://registry.example:8443"),
        ("https://r.example/api/model_registry/v1alpha3", "https://r.example"),
        (
            "https://r.example/model-registry/a/api/model_registry/",
            "https://r.example/model-registry/a",
        ),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_an_address_is_accepted_in_every_form_people_have_it(given: str, kept: str) -> None:
    assert Connection(given).url == kept


@pytest.mark.parametrize(
    "given",
    ["", "ftp://r.example", "http://r.example", "https://me:s3cret@r.example", "r.example:port"],
)
def test_an_address_that_cannot_be_used_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        Connection(given)

    assert caught.value.remedy
    assert "s3cret" not in str(caught.value)
