"""Linking the pull secret to the service account that serves, and taking the link back."""

from typing import TYPE_CHECKING, Any, Final

from modelcar.bootstrap.applying import Outcome, because

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

ACCOUNT: Final = "default"
"""KServe's pods run as this account, unless a service names another."""
SECRET: Final = "quay-pull"  # noqa: S105  a name


def link(api: "ApiClient", namespace: str, dry_run: bool) -> Outcome:
    """Have the account pull with the secret too."""
    return _change(api, namespace, linked=True, dry_run=dry_run)


def unlink(api: "ApiClient", namespace: str, dry_run: bool) -> Outcome:
    """Have the account no longer pull with the secret."""
    return _change(api, namespace, linked=False, dry_run=dry_run)


def _change(api: "ApiClient", namespace: str, *, linked: bool, dry_run: bool) -> Outcome:
    """Write the list whole, at the version that was read: the server knows no keys in it."""
    from kubernetes.client import CoreV1Api
    from kubernetes.client.rest import ApiException

    where = ("ServiceAccount", ACCOUNT, namespace)
    core, limit = CoreV1Api(api), {"_request_timeout": 60}
    try:
        account = core.read_namespaced_service_account(ACCOUNT, namespace, **limit)
        names = [one.name for one in account.image_pull_secrets or ()]
        if (SECRET in names) == linked:
            return Outcome(*where, "unchanged")
        kept = [{"name": name} for name in names if name != SECRET]
        body: dict[str, Any] = {
            "metadata": {"resourceVersion": account.metadata.resource_version},
            "imagePullSecrets": [*kept, {"name": SECRET}] if linked else kept,
        }
        options = {**limit, **({"dry_run": "All"} if dry_run else {})}
        core.patch_namespaced_service_account(ACCOUNT, namespace, body, **options)
    except ApiException as error:
        return Outcome(*where, "refused", because(error))
    return Outcome(*where, "updated", f"{'pulls' if linked else 'no longer pulls'} with {SECRET}")
