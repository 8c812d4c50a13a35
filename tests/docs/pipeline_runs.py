"""Runs of a pipelines server, which may really run: each task a process that has what a pod has."""

import base64
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests import canary
from tests.pipeline.host_runner import Cluster, Run, run
from tests.servers.argo import Namespace, Node
from tests.servers.kube import KubeServer
from tests.servers.pipelines_server import PipelinesServer

_RUNNER: Final = "pipeline-runner-dspa"
_USER: Final = "pipeline"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"


class PipelineRuns:
    """Has each run of the server succeed at the first look at it, as a context manager.

    Where they are `real` they begin then, and end as they end. Their tasks ask the API server with
    the rights that the runner's account has been bound to.
    """

    real = False

    def __init__(
        self,
        server: PipelinesServer,
        kube: KubeServer,
        namespace: str,
        folder: Path,
        surroundings: Mapping[str, str],
        ca: Path,
    ) -> None:
        self._server, self._kube, self._name = server, kube, namespace
        self._folder, self._surroundings, self._ca = folder, surroundings, ca
        self._begun: dict[str, Future[Run]] = {}
        self._node = Node(kube, folder / "logs")
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        self._node.__enter__()
        self._place = Namespace.of(self._kube, self._name, self._node.node, self._folder / "logs")
        self._server.before_look = self._look
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._node.__exit__(None, None, None)

    def _look(self) -> None:
        for row in self._server.store.all("runs"):
            begun = self._begun.get(row["run_id"])
            if not self.real:
                row["state"] = "SUCCEEDED"
            elif begun is None and row["state"] == "PENDING":
                self._begun[row["run_id"]] = self._begin(row)
                row["state"] = "RUNNING"
            elif begun and begun.done():
                row["state"] = "SUCCEEDED" if begun.result().succeeded else "FAILED"

    def log(self) -> str:
        """Return what the tasks of all runs that have ended said."""
        return "".join(one.result().log for one in self._begun.values() if one.done())

    def _begin(self, row: Mapping[str, Any]) -> "Future[Run]":
        run_id, folder = row["run_id"], self._folder / row["run_id"]
        folder.mkdir()
        given = {**row["runtime_config"]["parameters"], "pvc_name": "modelcar"}
        given["workdir"] = str(self._folder / "claim" / "modelcar")
        (self._folder / "claim").mkdir(exist_ok=True)
        arguments = (self._compiled(row, folder), self._cluster(folder), run_id, None)
        return self._pool.submit(run, *arguments, **given)

    def _compiled(self, row: Mapping[str, Any], folder: Path) -> Path:
        """Write the file that the run's version was uploaded with."""
        wanted = row["pipeline_version_reference"]["pipeline_version_id"]
        (version,) = self._server.store.all("versions", pipeline_version_id=wanted)
        path = folder / "pipeline.yaml"
        path.write_text(yaml.dump_all(version["pipeline_spec"].values(), Dumper=yaml.CSafeDumper))
        return path

    def _cluster(self, folder: Path) -> Cluster:
        self._bind()
        account = canary.planted(folder / "account")
        account.write_bytes(self._kube.kubeconfig(_USER, self._name).read_bytes())
        variables = {**self._surroundings, "KUBECONFIG": str(account)}
        secrets, claim = self._secrets(folder), self._folder / "claim"
        return Cluster(folder / "scratch", secrets, None, claim, variables, self._place)

    def _secrets(self, folder: Path) -> dict[str, Path]:
        """Write each secret of the namespace as a folder, and the CAs that the cluster trusts."""
        found = {"odh-trusted-ca-bundle": folder / "trusted"}
        found["odh-trusted-ca-bundle"].mkdir()
        (folder / "trusted" / "ca-bundle.crt").write_bytes(self._ca.read_bytes())
        path = f"/api/v1/namespaces/{self._name}/secrets"
        for secret in self._kube.request("GET", path)["items"]:
            place = canary.planted(folder / "secrets" / secret["metadata"]["name"])
            place.mkdir(parents=True)
            found[place.name] = place
            for key, text in (secret.get("data") or {}).items():
                (place / key).write_bytes(base64.b64decode(text))
        return found

    def _bind(self) -> None:
        """Give the user who stands for the runner's account what that is bound to."""
        for kind in ("rolebindings", "clusterrolebindings"):
            for one in self._kube.request("GET", f"{_RBAC}/{kind}")["items"]:
                who = one.get("subjects") or ()
                if (_RUNNER, self._name) in {(s["name"], s.get("namespace")) for s in who}:
                    self._copy(kind, one)

    def _copy(self, kind: str, binding: Mapping[str, Any]) -> None:
        at = binding["metadata"]
        inside = f"/namespaces/{at['namespace']}" if "namespace" in at else ""
        group = "rbac.authorization.k8s.io"
        user = {"apiGroup": group, "kind": "User", "name": _USER}
        metadata = {"name": f"{at['name']}-runs", "labels": at.get("labels", {})}
        body = {"metadata": metadata, "roleRef": binding["roleRef"], "subjects": [user]}
        path = f"{_RBAC}{inside}/{kind}"
        if metadata["name"] not in {
            one["metadata"]["name"] for one in self._kube.request("GET", path)["items"]
        }:
            self._kube.request("POST", path, body)
