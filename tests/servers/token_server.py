"""A token service for an OCI registry ("Token Authentication Specification" of distribution)."""

import base64
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests import canary
from tests.servers.loopback import LoopbackServer, Request, Response

ISSUER, SERVICE = "tests", "oci-registry"
_LEEWAY = 60
"""For how many seconds docker-registry takes a token after its end."""


class TokenServer(LoopbackServer):
    """Gives users with their right password every right they ask for, the others only `pull`.

    `key` is of RSA and signs the tokens; the OCI registry trusts its `certificate`, and takes a
    token for `life` seconds. Clients are told `told` seconds, where that is not the truth.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        users: Mapping[str, str],
        *,
        life: int = 300,
        told: int | None = None,
    ) -> None:
        super().__init__()
        self.issued: list[str] = []
        self._certificate, self._key, self._users = certificate, key, users
        self._life, self._told = life, life if told is None else told
        self.realm = f"{self.url}/token"

    @property
    def auth(self) -> dict[str, object]:
        """The `auth` section of an OCI registry that takes this server's tokens."""
        bundle = str(self._certificate)
        service = {"realm": self.realm, "service": SERVICE, "issuer": ISSUER}
        return {"token": {**service, "rootcertbundle": bundle}}

    @property
    def challenge(self) -> dict[str, str]:
        """The header of a 401 that sends a client here."""
        return {"WWW-Authenticate": f'Bearer realm="{self.realm}",service="{SERVICE}"'}

    def answer(self, request: Request) -> Response:
        user = _user(request)
        if user is not None and self._users.get(user[0]) != user[1]:
            return Response.json({"details": "incorrect username or password"}, 401)
        scopes = parse_qs(urlsplit(request.target).query).get("scope", [])
        token = self._token([_granted(scope, user is not None) for scope in scopes])
        self.issued.append(token)
        return Response.json({"token": token, "expires_in": self._told})

    def _token(self, access: list[dict[str, object]]) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": SERVICE, "sub": "tester", "access": access}
        end = now + self._life - _LEEWAY
        times = {"iat": now, "nbf": now - 5, "exp": end, "jti": f"{canary.MARK}-{time.time_ns()}"}
        lines = self._certificate.read_text().splitlines()
        chain = ["".join(line for line in lines if not line.startswith("-----"))]
        head = {"typ": "JWT", "alg": "RS256", "x5c": chain}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims | times))
        argv = ["openssl", "dgst", "-sha256", "-sign", str(self._key)]
        done = subprocess.run(argv, input=signed.encode(), capture_output=True, check=True)
        return f"{signed}.{_encoded(done.stdout)}"


def _user(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Basic":
        return None
    name, _, password = base64.b64decode(encoded).decode().partition(":")
    return name, password


def _granted(scope: str, known: bool) -> dict[str, object]:
    kind, name, asked = scope.split(":")
    actions = [action for action in asked.split(",") if known or action == "pull"]
    return {"type": kind, "name": name, "actions": actions}


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
