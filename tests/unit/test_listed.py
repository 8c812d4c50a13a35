"""What the task that moves the files asks for before it does."""

import base64
import json
from pathlib import Path

import pytest

from modelcar.errors import PreflightError
from modelcar.parameters import INTERNAL
from modelcar.tasks.listed import Listing
from modelcar.values import ModelSource, Moved, Plan

NOTHING_TO_FETCH = Plan(
    "tiny", "1.0", ModelSource("hf", "example/tiny"), "c" * 40, (), (), (), Moved()
)


def asked(registry: str = "", skip_preflight: str = "false") -> Listing:
    return Listing(
        hf_repo="example/tiny",
        model_name="tiny",
        model_version="1.0",
        include="",
        exclude="",
        allow_pickle="false",
        registry=registry,
        namespace="models",
        mirror_to="",
        revision="main",
        commit="c" * 40,
        choice="",
        planned="",
        hf_endpoint="",
        skip_preflight=skip_preflight,
        workdir="/work-folder",
    )


def test_skopeo_needs_a_login_of_its_own_at_the_internal_oci_registry() -> None:
    with pytest.raises(PreflightError) as caught:
        asked().may_push(NOTHING_TO_FETCH)
    assert str(caught.value) == (
        f"preflight: failed  login: registry-auth has no login for {INTERNAL}, which the "
        "mirror task needs; run `modelcar bootstrap`, which writes it"
    )


def test_with_it_or_elsewhere_or_unasked_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(skip_preflight="true").may_push(NOTHING_TO_FETCH)
    asked("quay.io/team").may_push(NOTHING_TO_FETCH)
    login = base64.b64encode(b"serviceaccount:C4naryBird").decode()
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {INTERNAL: {"auth": login}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
    asked().may_push(NOTHING_TO_FETCH)
