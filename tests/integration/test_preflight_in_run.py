"""`modelcar run` checks first: what is missing is told before a byte moves."""

import json
from pathlib import Path

from tests.auth_files import htpasswd
from tests.byte_path import refused, told
from tests.ready_place import Place
from tests.servers.docker_registry import DockerRegistry


def test_rights_that_are_missing_are_told_before_a_byte_moves(place: Place) -> None:
    uploads = place.oci_registry.log.read_text().count('"PATCH ')
    read = {"apiGroups": ["serving.kserve.io"], "resources": ["inferenceservices"]}
    place.kube.grant(place.namespace, {**read, "verbs": ["get", "list", "create", "watch"]})

    done = place.run("run", user="pipeline")

    refused(done, "preflight: failed  rights: the account that asks may not patch")
    assert "`modelcar bootstrap -n " in done.stderr
    assert place.oci_registry.log.read_text().count('"PATCH ') == uploads
    report = (place.folder / "runs/tiny/report.md").read_text()
    assert "may not patch inferenceservices" in report


def test_who_may_not_push_to_the_mirror_hears_so_first(place: Place, tmp_path: Path) -> None:
    asking = htpasswd(tmp_path / "htpasswd", "robot")
    with DockerRegistry(tmp_path / "closed", htpasswd=asking) as closed:
        place.site = {"mirror": f"{closed.host}/mirror", "namespace": ""}
        done = place.run("run")
        refused(done, "preflight: failed  mirror: ")
    assert "build" not in done.stderr


def test_whoever_skips_the_checks_finds_out_later(place: Place) -> None:
    place.site = {"model_registry": "http://127.0.0.1:1", "namespace": "", "mirror": ""}
    checked = place.run("run", "--model-registry", "http://127.0.0.1:1")
    refused(checked, "preflight: failed  model_registry: ")

    skipped = place.run("run", "--skip-preflight", "--model-registry", "http://127.0.0.1:1")

    assert skipped.returncode == 1
    assert "preflight" not in skipped.stderr
    record = json.loads((place.folder / "runs/tiny/run.json").read_text())
    assert [(one["name"], one["status"]) for one in record["stages"]][-1] == ("register", "failed")
    assert record["digest"]


def test_an_unchanged_run_opens_no_upload(place: Place) -> None:
    place.site = {"namespace": ""}
    told(place.run("run", "--json"))
    before = place.oci_registry.log.read_text().count('"POST ')
    told(place.run("run", "--json"))
    assert place.oci_registry.log.read_text().count('"POST ') == before
