"""Connections over HTTP, through the proxy that the environment names for a host."""

from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from modelcar import trust

# A registry may assemble a blob of many gigabytes before it answers.
_TIMEOUT: Final = urllib3.Timeout(connect=10, read=600)


class Pools:
    """Sends requests, and keeps their connections for the next ones; nothing is tried twice."""

    def __init__(self) -> None:
        self._pools: dict[str, urllib3.PoolManager] = {}

    def request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send one request as urllib3 does; raise its HTTPError, or OSError."""
        proxy = proxy_for(url)
        if proxy not in self._pools:
            self._pools[proxy] = _pool(proxy)
        return self._pools[proxy].request(method, url, **options)


def proxy_for(url: str) -> str:
    """Return the proxy of HTTPS_PROXY or HTTP_PROXY for `url`; nothing where none serves it.

    Hosts of NO_PROXY and loopback have none, as for skopeo; networks in NO_PROXY are not read.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if trust.is_loopback(host) or proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
        return ""
    proxy = getproxies().get(parts.scheme, "")
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _pool(proxy: str) -> urllib3.PoolManager:
    tls = trust.tls_context()
    options: dict[str, Any] = {"maxsize": 8, "retries": False, "timeout": _TIMEOUT}
    if not proxy:
        return urllib3.PoolManager(ssl_context=tls, **options)
    user, at, _ = urlsplit(proxy).netloc.rpartition("@")
    headers = urllib3.make_headers(proxy_basic_auth=unquote(user)) if at else None
    return urllib3.ProxyManager(
        proxy, proxy_headers=headers, ssl_context=tls, proxy_ssl_context=tls, **options
    )
