"""What an account may do decides what a deployment does, and what is missing is named."""

from typing import Final

import pytest

from modelcar.errors import DeployError
from tests.servers import openshift
from tests.servers.kserve import GROUP, KServe
from tests.serving_site import Listener, Site

Rule = dict[str, list[str]]
SERVING: Final = {"apiGroups": [GROUP], "resources": ["inferenceservices"]}
RUNTIMES: Final = {"apiGroups": [GROUP], "resources": ["servingruntimes"], "verbs": ["get"]}
TEMPLATES: Final = {
    "apiGroups": ["template.openshift.io"],
    "resources": ["templates"],
    "verbs": ["list"],
}
APPLICATIONS: Final = "redhat-ods-applications"
ALL: Final = ["get", "create", "patch", "watch", "list"]


def rule(*verbs: str) -> Rule:
    return {**SERVING, "verbs": list(verbs)}


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ([], "get"),
        ([rule("get")], "patch"),
        # Applying what is not there yet asks for both.
        ([rule("get", "patch")], "create"),
    ],
)
def test_the_missing_rule_is_named(site: Site, rules: list[Rule], missing: str) -> None:
    site.server.grant(site.namespace, RUNTIMES, *rules)

    with pytest.raises(DeployError) as caught:
        site.deploy(api=site.server.client("pipeline"))

    assert "is forbidden" in caught.value.why
    assert caught.value.remedy == (
        "add this rule to a Role of this account: "
        f'{{apiGroups: ["{GROUP}"], resources: ["inferenceservices"], verbs: ["{missing}"]}}'
    )
    assert site.server.request("GET", site.path)["items"] == []


def test_a_runtime_that_may_not_be_made_names_its_rule(site: Site) -> None:
    site.server.request("DELETE", f"{site.runtimes}/vllm-cuda-runtime")
    site.server.grant(site.namespace, RUNTIMES, rule(*ALL))
    runtime = openshift.runtime("vllm-cuda-runtime")
    template = openshift.template("vllm-cuda-runtime-template", runtime)
    with site.template(APPLICATIONS, template):
        site.server.grant(APPLICATIONS, TEMPLATES)
        try:
            with pytest.raises(DeployError) as caught:
                site.deploy(api=site.server.client("pipeline"))
        finally:
            site.server.revoke(APPLICATIONS)

    assert 'resources: ["servingruntimes"], verbs: ["create"]' in caught.value.remedy
    assert site.server.request("GET", site.path)["items"] == []


def test_without_pods_and_deployments_the_service_is_believed(site: Site) -> None:
    site.server.grant(site.namespace, RUNTIMES, rule(*ALL))
    with KServe(site.server, site.namespace, site.vllm.url):
        assert site.deploy(api=site.server.client("pipeline")).url == site.vllm.url


def test_an_account_that_may_not_watch_reads_again(
    site: Site, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    site.server.grant(site.namespace, RUNTIMES, rule("get", "create", "patch"))
    with KServe(site.server, site.namespace, site.vllm.url) as kserve:
        kserve.go.clear()
        listener.upon("it may not be watched", kserve.go.set)
        endpoint = site.deploy(api=site.server.client("pipeline"))

    assert endpoint.url == site.vllm.url
    assert caplog.text.count("it may not be watched: read every few seconds") == 1
