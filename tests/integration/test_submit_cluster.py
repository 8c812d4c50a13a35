"""Finding the pipelines server by a real API server, and what the pods of a run tell."""

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelcar.dsp import address
from modelcar.errors import PipelinesError
from modelcar.values import StageRecord, to_json
from tests.byte_path import told
from tests.pipeline.compiled_file import SHIPPED
from tests.pipelines_place import Done, PipelinesPlace, pipelines_place
from tests.ready_namespace import make_namespace, standing
from tests.ready_place import Place
from tests.servers.kserve import MERGE
from tests.servers.kube import KubeServer

GROUP = "datasciencepipelinesapplications.opendatahub.io"
SERVERS = GROUP.partition(".")[0]
CONFIG = "openshift-config-managed"
READ = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}


@dataclass
class Cluster:
    """A namespace of a real API server beside a pipelines server."""

    kube: KubeServer
    namespace: str
    pipelines: PipelinesPlace

    def add_server(self, name: str = "dspa") -> None:
        kind = "DataSciencePipelinesApplication"
        body = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}}
        path = f"/apis/{GROUP}/v1/namespaces/{self.namespace}/{SERVERS}"
        self.kube.request("POST", path, body)

    def add_route(self, host: str = "", name: str = "dspa") -> None:
        place = host or self.pipelines.server.url.removeprefix("https://")
        head = {"apiVersion": "route.openshift.io/v1", "kind": "Route"}
        body = {**head, "metadata": {"name": f"ds-pipeline-{name}"}, "spec": {"host": place}}
        path = f"/apis/route.openshift.io/v1/namespaces/{self.namespace}/routes"
        self.kube.request("POST", path, body)

    def submit(self, *options: str, user: str = "admin", **variables: str) -> Done:
        """Submit as `user`, with the address to be found; the CA is known by the cluster only."""
        self.pipelines.site = {"namespace": ""}
        self.pipelines.server.tokens = {self.kube.tokens[user]}
        given = {"KUBECONFIG": str(self.kube.kubeconfig(user, self.namespace))}
        given |= {"MODELCAR_PIPELINES_URL": "", "MODELCAR_CA_BUNDLE": "", **variables}
        done = self.pipelines.submit(*options, **given)
        assert self.kube.tokens[user] not in done.stdout + done.stderr
        return done

    def ca(self) -> Any:
        """Have the CA of the cluster's Routes stand for a while."""
        make_namespace(self.kube, CONFIG)
        data = {"ca-bundle.crt": self.pipelines.ca.read_text()}
        body = {"metadata": {"name": "default-ingress-cert"}, "data": data}
        return standing(self.kube, f"/api/v1/namespaces/{CONFIG}/configmaps", body)

    def pod(self, run_id: str, stage: str, *records: StageRecord) -> None:
        """Have a pod of the run that ended and told `records`."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        node = f"run.root.exit-handler-1.{stage}.executor"
        marks = {"annotations": {"workflows.argoproj.io/node-name": node}}
        labels = {"labels": {"pipeline/runid": run_id}}
        spec = {"containers": [{"name": "main", "image": "registry.example/none"}]}
        body = {"metadata": {"name": f"run-{stage}", **marks, **labels}, "spec": spec}
        self.kube.request("POST", path, body)
        failed = any(record.status == "failed" for record in records)
        message = "\n".join(json.dumps(to_json(record)) for record in records)
        ended = {"exitCode": int(failed), "message": message}
        ended |= {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"}
        main = {"name": "main", "ready": False, "restartCount": 0, "image": "x", "imageID": "x"}
        statuses = [{**main, "state": {"terminated": ended}}]
        status = {"phase": "Failed" if failed else "Succeeded", "containerStatuses": statuses}
        self.kube.request("PATCH", f"{path}/run-{stage}/status", {"status": status}, MERGE)


@pytest.fixture
def cluster(kube: KubeServer, tmp_path: Path) -> Iterator[Cluster]:
    namespace = f"dsp-{secrets.token_hex(4)}"
    make_namespace(kube, namespace)
    with ExitStack() as stack:
        pipelines = stack.enter_context(pipelines_place(tmp_path))
        found = Cluster(kube, namespace, pipelines)
        stack.enter_context(found.ca())
        yield found


def said(done: Done) -> str:
    assert done.returncode == 1, done.stderr
    return done.stderr.splitlines()[-1]


def test_the_server_its_ca_and_the_token_are_found_by_the_cluster(cluster: Cluster) -> None:
    cluster.add_server()
    cluster.add_route()
    found = told(cluster.submit("--json"))
    assert found["link"].startswith(cluster.pipelines.server.url)
    assert "namespace" not in found["parameters"], "a run deploys to its own namespace"


def test_without_a_pipelines_server_it_says_where_to_make_one(cluster: Cluster) -> None:
    line = said(cluster.submit())
    assert f"the pipelines server of {cluster.namespace}: there is none; make one in" in line


def test_several_pipelines_servers_are_named(cluster: Cluster) -> None:
    for name in ("b", "a"):
        cluster.add_server(name)
    line = said(cluster.submit())
    assert "there are several: a, b; name its address with --endpoint" in line


def test_a_pipelines_server_that_is_hidden_is_told_with_the_rule(cluster: Cluster) -> None:
    line = said(cluster.submit(user="pipeline"))
    assert "it may not be looked up; name its address with --endpoint" in line
    assert f'{{apiGroups: ["{GROUP}"], resources: ["{SERVERS}"], verbs: ["list"]}}' in line


def test_a_route_that_is_not_there_is_told(cluster: Cluster) -> None:
    cluster.add_server()
    line = said(cluster.submit())
    assert f"the Route ds-pipeline-dspa of {cluster.namespace}: it is not there" in line
    assert "spec.apiServer.enableOauth" in line


def test_a_route_that_is_hidden_is_told_with_the_rule(cluster: Cluster) -> None:
    cluster.add_server()
    cluster.add_route()
    rule = {"apiGroups": [GROUP], "resources": [SERVERS], "verbs": ["list"]}
    cluster.kube.grant(cluster.namespace, rule)
    line = said(cluster.submit(user="pipeline"))
    assert "ds-pipeline-dspa of" in line
    assert "it may not be read" in line
    assert '{apiGroups: ["route.openshift.io"], resources: ["routes"], verbs: ["get"]}' in line


@pytest.mark.parametrize("user", ["admin", "pipeline"])
def test_in_a_pod_the_service_stands_for_a_route_that_is_not_seen(
    cluster: Cluster, user: str
) -> None:
    api = cluster.kube.client(user, cluster.namespace)
    url = address.url_of(api, cluster.namespace, "dspa", in_pod=True)
    assert url == f"https://ds-pipeline-dspa.{cluster.namespace}.svc:8443"
    with pytest.raises(PipelinesError):
        address.url_of(api, cluster.namespace, "dspa", in_pod=False)


def test_where_the_ca_of_the_routes_is_hidden_it_is_to_be_named(cluster: Cluster) -> None:
    cluster.add_server()
    cluster.add_route()
    cluster.kube.grant(cluster.namespace, READ)
    line = said(cluster.submit(user="pipeline"))
    assert "its certificate is signed by no CA that is trusted here" in line
    assert "name a file with its CA in MODELCAR_CA_BUNDLE" in line
    given = {"MODELCAR_CA_BUNDLE": str(cluster.pipelines.ca)}
    assert cluster.submit(user="pipeline", **given).returncode == 0


def test_an_api_server_that_is_away_is_told(cluster: Cluster) -> None:
    gone = cluster.kube.kubeconfig("admin", cluster.namespace, "https://127.0.0.1:1")
    line = said(cluster.submit(KUBECONFIG=str(gone)))
    assert "looking for the pipelines server" in line
    assert "the API server does not answer" in line


def test_what_came_out_is_read_from_the_runs_pods(cluster: Cluster) -> None:
    cluster.add_server()
    cluster.add_route()
    digest = f"sha256:{'a' * 64}"
    image = {"image": {"name": "quay.io/team/tiny", "digest": digest}}
    mirror = {"name": "quay.io/mirror/tiny", "digest": digest}
    endpoint = {"url": "https://tiny.example", "name": "tiny"}

    def finish() -> None:
        cluster.pipelines.server.before_look = lambda: None
        run_id = cluster.pipelines.server.store.all("runs")[0]["run_id"]
        built = StageRecord("build", "succeeded", 1.0, 2.0, "one layer", result=image)
        cluster.pod(run_id, "build", built)
        copied = StageRecord("mirror", "succeeded", 2.0, result=mirror)
        registered = StageRecord("register", "succeeded", 2.0, result={"uri": "oci://there"})
        cluster.pod(run_id, "register", copied, registered)
        served = StageRecord("deploy", "succeeded", 3.0, 2.0, result=endpoint)
        cluster.pod(run_id, "deploy", served)

    cluster.pipelines.server.before_look = finish
    cluster.pipelines.server.frames = [{"state": "SUCCEEDED"}]
    done = cluster.submit("--wait", "--poll", "0.01")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"image      quay.io/team/tiny@{digest}" in lines
    assert f"mirror     quay.io/mirror/tiny@{digest}" in lines
    assert "registered oci://there" in lines
    assert "endpoint   https://tiny.example" in lines
    assert "build      succeeded      2.0s  one layer" in lines


def test_a_failed_stage_is_told_with_its_remedy(cluster: Cluster) -> None:
    cluster.add_server()
    cluster.add_route()
    parts = {"what": "uploading", "why": "it is full", "remedy": "free some room"}

    def fail() -> None:
        cluster.pipelines.server.before_look = lambda: None
        run_id = cluster.pipelines.server.store.all("runs")[0]["run_id"]
        error = "uploading: it is full; free some room"
        record = StageRecord("build", "failed", 1.0, 2.0, error=error, result=parts)
        cluster.pod(run_id, "build", record)

    cluster.pipelines.server.before_look = fail
    cluster.pipelines.server.frames = [{"state": "FAILED"}]
    line = said(cluster.submit("--wait", "--poll", "0.01"))
    assert line.endswith(": build failed: uploading: it is full; free some room")


def test_pods_that_may_not_be_read_are_said_and_the_server_tells(cluster: Cluster) -> None:
    cluster.add_server()
    cluster.add_route()
    rules = [
        {"apiGroups": [GROUP], "resources": [SERVERS], "verbs": ["list"]},
        {"apiGroups": ["route.openshift.io"], "resources": ["routes"], "verbs": ["get"]},
    ]
    cluster.kube.grant(cluster.namespace, *rules)
    cluster.pipelines.server.frames = [{"state": "SUCCEEDED"}]
    given = {"MODELCAR_CA_BUNDLE": str(cluster.pipelines.ca)}
    done = cluster.submit("--wait", "--poll", "0.01", user="pipeline", **given)
    assert done.returncode == 0, done.stderr
    assert "nothing is known but what the server tells" in done.stderr
    assert 'resources: ["pods"], verbs: ["list"]' in done.stderr
    assert done.stdout.splitlines()[-1] == "state      SUCCEEDED"


def test_a_place_that_is_ready_is_checked_and_then_submitted_to(
    place: Place, tmp_path: Path
) -> None:
    place.claim("10Gi")
    spec, platform = yaml.safe_load_all(SHIPPED.read_text())
    for executor in spec["deploymentSpec"]["executors"].values():
        executor["container"]["image"] = place.image
    (place.folder / "own.yaml").write_text(yaml.safe_dump_all([spec, platform]))
    with pipelines_place(tmp_path / "pipelines") as pipelines:
        pipelines.server.tokens = {place.kube.tokens["admin"]}
        given = {"MODELCAR_CA_BUNDLE": str(pipelines.ca)}
        options = ("--pipeline", "own.yaml", "--endpoint", pipelines.server.url, "--json")
        done = place.run("submit", *options, **given)
        found = told(done)
        [run] = pipelines.server.store.all("runs")
    assert run["run_id"] == found["run_id"]
    assert run["runtime_config"]["parameters"]["registry"].endswith("/models")
    checked = {line.split()[2] for line in done.stderr.splitlines() if "preflight: " in line}
    assert {"source:", "oci_registry:", "pvc:", "rights:", "runtime:"} <= checked
