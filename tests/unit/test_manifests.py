"""The generated manifests: what the sources give, complete, and what kustomize makes of them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelcar.bootstrap.rights import RIGHTS, rules
from scripts import manifests

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "manifests"


def test_what_is_there_is_what_the_sources_give() -> None:
    for path, text in manifests.files():
        assert (ROOT / path).read_text(encoding="utf-8") == text, path


def test_nothing_generated_is_there_that_the_sources_no_longer_give() -> None:
    assert manifests.left_over(ROOT) == []


def test_a_file_that_the_sources_no_longer_give_is_noticed_and_deleted(tmp_path: Path) -> None:
    manifests.write(tmp_path)
    base = tmp_path / "manifests" / "base"
    text = (base / "role.yaml").read_text()
    (base / "older-role.yaml").write_text(text)
    by_hand = base / "kustomization.yaml"
    by_hand.write_text("resources: []\n")

    assert manifests.left_over(tmp_path) == ["manifests/base/older-role.yaml"]

    manifests.write(tmp_path)
    assert not (base / "older-role.yaml").exists()
    assert (base / "role.yaml").read_text() == text
    assert by_hand.exists()


def test_each_file_is_named_by_its_kustomization() -> None:
    for path in FOLDER.rglob("kustomization.yaml"):
        listed = set(yaml.safe_load(path.read_text()).get("resources", ()))
        there = {f.name for f in path.parent.glob("*.yaml")} - {"kustomization.yaml"}
        if path.parent in (FOLDER, FOLDER / "overlays" / "example"):
            continue
        assert listed == there, path


def test_the_table_names_every_right() -> None:
    text = (ROOT / "docs" / "rights.md").read_text()
    for right in RIGHTS:
        assert f"| {right.resource} | {', '.join(right.verbs)} |" in text


def test_a_kind_of_object_has_one_rule() -> None:
    for place in ("namespace", "cluster", "templates"):
        found = rules(place)
        kinds = [(rule["apiGroups"][0], rule["resources"][0]) for rule in found]
        assert len(kinds) == len(set(kinds))
        assert all(len(rule["verbs"]) == len(set(rule["verbs"])) for rule in found)


def built(folder: str) -> list[dict[str, Any]]:
    """Return what kustomize makes of a folder."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        ["kubectl", "kustomize", FOLDER / folder], capture_output=True, text=True, check=True
    )
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def test_kustomize_puts_all_into_the_namespace() -> None:
    found = built(".")
    assert {one["metadata"]["namespace"] for one in found} == {"models"}
    generated = [text for path, text in manifests.files() if path.startswith("manifests/base/")]
    assert len(found) == len(generated)


def test_an_overlay_moves_everything_to_another_namespace() -> None:
    found = built("overlays/example")
    assert {one["metadata"]["namespace"] for one in found} == {"my-models"}
    subjects = [one["subjects"][0]["namespace"] for one in found if one["kind"] == "RoleBinding"]
    assert subjects == ["my-models"] * 2


@pytest.mark.parametrize("folder", ["nodes", "templates", "model-registry"])
def test_what_is_optional_stands_by_itself(folder: str) -> None:
    assert built(f"optional/{folder}")


def test_no_secret_has_a_value() -> None:
    text = (FOLDER / "secrets.example.yaml").read_text()
    for secret in yaml.safe_load_all(text):
        assert set(secret["stringData"].values()) <= {"", '{"auths": {}}'}
