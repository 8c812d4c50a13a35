"""The commands in a report: those that fit what became of the run, and safe to paste."""

import shlex
from dataclasses import replace

import pytest

from modelcar.page import lay_out
from modelcar.run_summary import summary
from modelcar.values import Endpoint, ImageDigest, RunRecord
from tests.report_runs import BUILT, DIGEST, SERVED, failed_run, hostile_run, stage, whole_run

IMAGE = f"quay.io/org/minilm@{DIGEST}"


def commands(run: RunRecord, title: str = "The image") -> list[str]:
    found = next(one for one in lay_out(run).sections if one.title == title)
    return [one.text for one in found.commands]


def test_an_image_that_serves_can_be_looked_at_copied_and_asked() -> None:
    assert commands(whole_run()) == [
        f"skopeo inspect docker://{IMAGE}",
        f"skopeo copy --all --preserve-digests docker://{IMAGE} oci:minilm:1.0",
        "oc get inferenceservice minilm -n models",
        "curl https://minilm.example.com/v1/models",
    ]


def test_a_token_is_shown_only_where_one_was_wanted() -> None:
    asked = commands(whole_run(deploy=replace(SERVED, auth=True)))[-1]
    url = "https://minilm.example.com/v1/models"
    assert asked == f'curl -H "Authorization: Bearer $(oc whoami -t)" {url}'


def test_where_something_served_before_one_can_return_to_it() -> None:
    run = whole_run(deploy=replace(SERVED, previous="oci://quay.io/org/minilm@old"))
    assert not [
        one for one in commands(run) if one.startswith("modelcar")
    ]  # nobody's file is known
    found = lay_out(replace(run, asked="models/minilm.yaml"))
    last = next(one for one in found.sections if one.title == "The image").commands[-1]
    assert last.purpose == "Return to oci://quay.io/org/minilm@old"
    assert last.text == "modelcar rollback models/minilm.yaml -n models"


def test_on_loopback_skopeo_speaks_plain_http() -> None:
    local = replace(BUILT, image=ImageDigest("127.0.0.1:5000/m", DIGEST))
    look, copy, *_ = commands(whole_run(build=local))
    assert look == f"skopeo inspect --tls-verify=false docker://127.0.0.1:5000/m@{DIGEST}"
    assert "--src-tls-verify=false docker://" in copy


def test_an_image_in_a_folder_can_be_pushed() -> None:
    built = replace(BUILT, image=ImageDigest("oci:my images:1.0", DIGEST))
    run = summary("minilm", "1.0", [stage("build", 0, 1, built)])
    assert commands(run) == [
        "skopeo inspect 'oci:my images:1.0'",
        "skopeo copy --all --preserve-digests 'oci:my images:1.0' "
        "docker://HOST/NAMESPACE/minilm:1.0",
    ]


def test_a_failed_deployment_can_be_diagnosed_and_taken_back() -> None:
    assert commands(failed_run(), "deploy failed") == [
        "modelcar diagnose minilm -n models",
        "modelcar rollback minilm -n models",
        "modelcar run minilm",
    ]


def test_of_a_failure_elsewhere_only_the_run_is_told() -> None:
    failed = summary("m", "1", [stage("build", 0, 1, status="failed", error="it broke")])
    asked = replace(failed, asked="hf://org/m@dev")
    assert commands(asked, "build failed") == ["modelcar run hf://org/m@dev"]


def test_in_the_pipeline_one_goes_on_by_another_run() -> None:
    failed = summary("m", "1", [stage("build", 0, 1, status="failed", error="it broke")])
    (found, *_) = lay_out(replace(failed, pipeline_run="a1")).sections
    assert found.commands == ()
    assert found.items == (
        "Go on by a run with the same parameters, or by Retry: what stands is not done twice.",
    )


@pytest.mark.parametrize("text", ["$(id)", "a; id", 'ab"c', "a b", "x\\y", "*", "~"])
def test_a_value_is_one_word_of_the_shell(text: str) -> None:
    found = commands(whole_run(deploy=Endpoint(text, text, f"https://x/{text}", 1.0)))
    assert shlex.split(found[2]) == ["oc", "get", "inferenceservice", text, "-n", text]
    assert shlex.split(found[3]) == ["curl", f"https://x/{text}/v1/models"]


@pytest.mark.parametrize("text", ["-x", "a\nb", "a\x1bb", "", "x" * 301, "\u202ea", "a```b", "a'b"])
def test_what_cannot_be_right_gives_no_command(text: str) -> None:
    run = whole_run(deploy=Endpoint(text, "models", f"https://x/{text}\n", 1.0))
    assert [one for one in commands(run) if not one.startswith("skopeo")] == []


def test_of_a_hostile_run_no_command_is_told() -> None:
    assert commands(hostile_run("a\nb", 1)) == []


def test_an_address_that_only_pods_reach_gives_no_command() -> None:
    image = ImageDigest("image-registry.openshift-image-registry.svc:5000/models/m", DIGEST)
    served = replace(SERVED, url="https://minilm.models.svc.cluster.local:8443")
    found = commands(whole_run(build=replace(BUILT, image=image), deploy=served))
    assert found == ["oc get inferenceservice minilm -n models"]
