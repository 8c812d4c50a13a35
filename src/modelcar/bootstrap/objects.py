"""The objects that make a namespace ready for the pipeline. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelcar.bootstrap.rights import rules
from modelcar.cluster import APPLICATIONS
from modelcar.site import Site

Manifest = dict[str, Any]

NAME: Final = "modelcar"
PUSHER: Final = "modelcar-push"
MADE_BY: Final = {"app.kubernetes.io/managed-by": "modelcar-pipelines"}
MODEL_REGISTRIES: Final = ("rhoai-model-registries", "odh-model-registries")
"""Where OpenShift AI, and Open Data Hub, keep Model Registries."""
_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Names:
    """What differs from one namespace to the next."""

    namespace: str = ""
    runner: str = "pipeline-runner-dspa"
    """The service account that the pipelines server runs tasks as."""
    model_registry: str = ""
    """The Model Registry's name."""
    model_registries: str = MODEL_REGISTRIES[0]
    """The namespace that has it."""
    applications: str = APPLICATIONS[0]
    """The namespace that has the templates of serving runtimes."""
    pvc: str = Site().pvc
    pvc_size: str = "100Gi"
    storage_class: str = ""


def namespaced(names: Names) -> list[Manifest]:
    """Return what the namespace itself needs, but for secrets and the serving runtime."""
    return [
        _role(NAME, rules("namespace")),
        _binding(NAME, names.runner, names.namespace),
        pvc(names),
        image_stream(),
        build_config(),
        pusher(),
        pusher_token(),
        _role(PUSHER, _pushing()),
        _binding(PUSHER, PUSHER, names.namespace),
    ]


def elsewhere(names: Names) -> list[Manifest]:
    """Return what is bound outside the namespace, where the user may do so."""
    return [*cluster_wide(names), *beside(names)]


def cluster_wide(names: Names) -> list[Manifest]:
    """Return what is of the whole cluster: the rights on nodes, and who has them."""
    role = f"{NAME}-nodes"
    binding = _object(_RBAC, "ClusterRoleBinding", f"{_suffixed(names)}-nodes")
    return [
        _object(_RBAC, "ClusterRole", role) | {"rules": rules("cluster")},
        binding | {"roleRef": _ref("ClusterRole", role), "subjects": [_runner(names)]},
    ]


def beside(names: Names) -> list[Manifest]:
    """Return what stands in the namespaces of OpenShift AI: rights there, and who has them."""
    role, name = f"{NAME}-templates", _suffixed(names)
    found = [
        _at(names.applications, _role(role, rules("templates"))),
        _at(names.applications, _bound(f"{name}-templates", role, _runner(names))),
    ]
    if names.model_registry:
        role = f"registry-user-{names.model_registry}"
        found.append(_at(names.model_registries, _bound(name, role, _runner(names))))
    return found


def pvc(names: Names) -> Manifest:
    """Return the volume claim that runs work on."""
    spec: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": names.pvc_size}},
    }
    if names.storage_class:
        spec["storageClassName"] = names.storage_class
    return _object("", "PersistentVolumeClaim", names.pvc) | {"spec": spec}


def image_stream() -> Manifest:
    """Return the stream of the runtime image, whose tags its BuildConfig makes."""
    lookup = {"lookupPolicy": {"local": True}}
    return _object("image.openshift.io", "ImageStream", NAME) | {"spec": lookup}


def build_config() -> Manifest:
    """Return how the runtime image is built in the cluster, from a folder that is uploaded.

    `oc start-build modelcar --from-dir=. --follow` in a clone builds it.
    """
    spec = {
        "source": {"type": "Binary", "binary": {}},
        "strategy": {"type": "Docker", "dockerStrategy": {"dockerfilePath": "Containerfile"}},
        "output": {"to": {"kind": "ImageStreamTag", "name": f"{NAME}:latest"}},
    }
    return _object("build.openshift.io", "BuildConfig", NAME) | {"spec": spec}


def pusher() -> Manifest:
    """Return the account whose token pushes to the internal OCI registry."""
    return _object("", "ServiceAccount", PUSHER)


def pusher_token() -> Manifest:
    """Return the Secret into which the cluster writes that account's token."""
    token = _object("", "Secret", f"{PUSHER}-token")
    token["metadata"]["annotations"] = {"kubernetes.io/service-account.name": PUSHER}
    return token | {"type": "kubernetes.io/service-account-token"}


def _pushing() -> list[Mapping[str, Any]]:
    every = rules("namespace")
    return [rule for rule in every if rule["apiGroups"] == ["image.openshift.io"]]


def _role(name: str, granted: list[Mapping[str, Any]]) -> Manifest:
    return _object(_RBAC, "Role", name) | {"rules": granted}


def _binding(name: str, account: str, namespace: str) -> Manifest:
    return _bound(name, name, _subject(account, namespace))


def _bound(name: str, role: str, subject: Manifest) -> Manifest:
    binding = _object(_RBAC, "RoleBinding", name)
    return binding | {"roleRef": _ref("Role", role), "subjects": [subject]}


def _suffixed(names: Names) -> str:
    return f"{NAME}-{names.namespace}" if names.namespace else NAME


def _runner(names: Names) -> Manifest:
    return _subject(names.runner, names.namespace)


def _ref(kind: str, name: str) -> Manifest:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}


def _subject(account: str, namespace: str) -> Manifest:
    placed = {"namespace": namespace} if namespace else {}
    return {"kind": "ServiceAccount", "name": account, **placed}


def _at(namespace: str, manifest: Manifest) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def _object(group: str, kind: str, name: str) -> Manifest:
    version = f"{group}/v1" if group else "v1"
    metadata: Manifest = {"name": name, "labels": dict(MADE_BY)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
