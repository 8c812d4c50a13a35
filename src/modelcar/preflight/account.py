"""Whether an account has the rights that a run uses, asked one by one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from modelcar.bootstrap.rights import RIGHTS, Right
from modelcar.cluster import APPLICATIONS, request
from modelcar.preflight.finding import Finding, State

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_GROUP: Final = "authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Account:
    """A service account of the namespace that works there; without a name, whoever asks."""

    api: "ApiClient"
    namespace: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or "the account that asks"

    def rights(self, wanted: Iterable[Right] = RIGHTS) -> Iterator[Finding]:
        """Yield each right that the account lacks, or that it has all of them.

        One without which no run ends is failed, another a warning.
        """
        asked = [(right, verb, self._may(right, verb)) for right in wanted for verb in right.verbs]
        hidden = {right.place for right, _, answer in asked if answer is None}
        for place in sorted(hidden):
            remedy = "run it in a pod of that account, or as a cluster's administrator"
            what = f"what {self} may do may not be asked ({place})"
            yield Finding("rights", "unknown", what, remedy)
        for right, verb, answer in asked:
            if answer is False:
                yield self._lacking(right, verb)
        if asked and all(answer for _, _, answer in asked):
            yield Finding("rights", "ok", f"{self} has the rights that are asked for")

    def _lacking(self, right: Right, verb: str) -> Finding:
        state: State = "failed" if right.needed else "warning"
        rule = (
            f'{{apiGroups: ["{right.group}"], resources: ["{right.resource}"], verbs: ["{verb}"]}}'
        )
        remedy = f"run `modelcar bootstrap -n {self.namespace}`, or grant {rule}"
        what = f"{self} may not {verb} {right.resource} ({right.serves})"
        return Finding("rights", state, what, remedy)

    def _may(self, right: Right, verb: str) -> bool | None:
        """Return whether the account may; None where that may not be asked."""
        resource, _, sub = right.resource.partition("/")
        places = {"namespace": (self.namespace,), "templates": APPLICATIONS, "cluster": ("",)}
        asked = {"group": right.group, "resource": resource, "subresource": sub, "verb": verb}
        answers = [self._answer({**asked, "namespace": one}) for one in places[right.place]]
        return True if True in answers else None if None in answers else False

    def _answer(self, asked: dict[str, str]) -> bool | None:
        from kubernetes.client.rest import ApiException

        kind, place, spec = self._review(asked["namespace"])
        spec["resourceAttributes"] = asked
        body = {"apiVersion": _GROUP, "kind": kind, "spec": spec}
        if place:
            body["metadata"] = {"namespace": asked["namespace"]}
        path = f"/apis/{_GROUP}{place}/{kind.lower()}s"
        try:
            return bool(request(self.api, "POST", path, (), body)["status"]["allowed"])
        except ApiException as error:
            if error.status in (403, 404):
                return None
            raise

    def _review(self, namespace: str) -> tuple[str, str, dict[str, Any]]:
        """Return how to ask about a namespace, or the cluster: kind, place, and of whom."""
        if not self.name:
            return "SelfSubjectAccessReview", "", {}
        everyone = "system:serviceaccounts"
        groups = [everyone, f"{everyone}:{self.namespace}", "system:authenticated"]
        user = f"system:serviceaccount:{self.namespace}:{self.name}"
        spec = {"user": user, "groups": groups}
        if namespace:
            return "LocalSubjectAccessReview", f"/namespaces/{namespace}", spec
        return "SubjectAccessReview", "", spec


def needed() -> tuple[Right, ...]:
    """Return the rights without which no run deploys; who may push is asked of the OCI registry."""
    return tuple(right for right in RIGHTS if right.needed and right.by == "run")
