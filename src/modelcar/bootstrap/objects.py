"""The objects that make a namespace ready for the pipeline. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelcar.bootstrap.rights import rules
from modelcar.site import Site

Manifest = dict[str, Any]

NAME: Final = "modelcar"
PUSHER: Final = "modelcar-push"
MADE_BY: Final = {"app.kubernetes.io/managed-by": "modelcar-pipelines"}
APPLICATIONS: Final = "redhat-ods-applications"
MODEL_REGISTRIES: Final = "rhoai-model-registries"
_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Names:
    """What differs from one namespace to the next."""

    namespace: str = ""
    runner: str = "pipeline-runner-dspa"
    """The service account that the pipelines server runs tasks as."""
    model_registry: str = ""
    """The Model Registry's name, in `rhoai-model-registries`."""
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
    suffix = f"{NAME}-{names.namespace}" if names.namespace else NAME
    subject = _subject(names.runner, names.namespace)
    cluster = _object(_RBAC, "ClusterRole", f"{NAME}-nodes") | {"rules": rules("cluster")}
    found = [
        cluster,
        _object(_RBAC, "ClusterRoleBinding", f"{suffix}-nodes")
        | {"roleRef": _ref("ClusterRole", f"{NAME}-nodes"), "subjects": [subject]},
        _at(APPLICATIONS, _role(f"{NAME}-templates", rules("templates"))),
        _at(APPLICATIONS, _bound(f"{suffix}-templates", f"{NAME}-templates", subject)),
    ]
    if names.model_registry:
        role = f"registry-user-{names.model_registry}"
        found.append(_at(MODEL_REGISTRIES, _bound(suffix, role, subject)))
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
