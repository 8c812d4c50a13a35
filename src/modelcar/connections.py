"""Connections over HTTP, through the proxy that the environment names for a host."""

import ssl
import zlib
from contextlib import suppress
from io import BytesIO
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from modelcar import pace, trust
from modelcar.errors import UsageError

REACH: Final = 10.0
"""Seconds to reach a peer."""
ANSWER: Final = 60.0
"""Seconds that a peer that was asked for something may be silent."""
STORE: Final = 600.0
"""Seconds that one may be silent while it takes or stores bytes.

An OCI registry may assemble a blob of many gigabytes before it answers.
"""
MIRROR: Final = 3600.0
"""Seconds that skopeo may move no byte, as while an OCI registry stores a layer that it sent."""


class Pools:
    """Sends requests, and keeps their connections for the next ones; nothing is tried twice."""

    def __init__(self) -> None:
        self._pools: dict[str, urllib3.PoolManager] = {}

    def request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send one request as urllib3 does; raise its HTTPError, or OSError."""
        proxy = proxy_for(url)
        if proxy not in self._pools:
            made = pool(proxy, trust.tls_context(), maxsize=8, retries=False)
            made.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
            self._pools[proxy] = made
        return self._pools[proxy].request(method, url, **{"timeout": _timeout(method), **options})


def small(
    response: urllib3.BaseHTTPResponse, most: int, seconds: float = 0.0
) -> urllib3.HTTPResponse:
    """Return the answer with its body in memory, of which at most `most` bytes and one are read.

    Where it is compressed, which nobody asked for, no more than that comes of it. It has so many
    seconds, or as many as to store something; raises urllib3's HTTPError.
    """
    data = bytearray()  # a list of its blocks may be many times larger
    for block in pace.whole(response, most, seconds or STORE):
        data += block
    body = BytesIO(_plain(bytes(data), response, most))
    return urllib3.HTTPResponse(body, response.headers, response.status, decode_content=False)


def _plain(data: bytes, response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    if response.headers.get("Content-Encoding", "").lower() not in ("gzip", "x-gzip", "deflate"):
        return data
    with suppress(zlib.error):  # what it is then, its reader says
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, most + 1)
    return data


def _timeout(method: str) -> urllib3.Timeout:
    stores = method in ("POST", "PUT", "PATCH")
    return urllib3.Timeout(connect=REACH, read=STORE if stores else ANSWER)


def proxy_for(url: str) -> str:
    """Return the proxy of HTTPS_PROXY or HTTP_PROXY for `url`; nothing where none serves it.

    Hosts, domains and networks of NO_PROXY and loopback have none. Raises UsageError for
    what is no address.
    """
    scheme, host, port = _place(url)
    named = proxy_bypass(f"{host}:{port}" if port else host)
    if trust.is_loopback(host) or named or _in_network(host):
        return ""
    proxy = getproxies().get(scheme, "")
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _place(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError as error:
        shown = url.partition("?")[0].rpartition("@")[2][:80]
        raise UsageError(f"address {shown!r}", str(error), "write https://host:port") from error


def _in_network(host: str) -> bool:
    """Return whether NO_PROXY names a network that the address `host` is of, as Go reads it."""
    names = getproxies().get("no", "").split(",")
    with suppress(ValueError):  # a name, not an address
        address = ip_address(host)
        return any(address in network for name in names for network in _networks(name.strip()))
    return False


def _networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return (ip_network(name, strict=False),) if "/" in name else ()
    except ValueError:
        return ()


def pool(proxy: str, tls: ssl.SSLContext, **options: Any) -> urllib3.PoolManager:
    """Return the connections that go through `proxy`, or straight on where that is nothing.

    Raises UsageError for a proxy that is no address.
    """
    if proxy:
        return _through(proxy, tls, options)
    return urllib3.PoolManager(ssl_context=tls, **options)


def address(proxy: str) -> tuple[str, dict[str, str] | None]:
    """Return a proxy's address without the credentials in it, and the header that has them.

    Raises UsageError for a proxy that is no address.
    """
    try:
        parts = urlsplit(proxy)
        user, at, place = parts.netloc.rpartition("@")
        if not parts.hostname or parts.port == 0 or parts.path.strip("/"):
            raise ValueError
    except ValueError:
        why, remedy = "its value is no address", "write http://user:password@host:port, %-encoded"
        raise UsageError("the proxy of HTTPS_PROXY or HTTP_PROXY", why, remedy) from None
    headers = {"proxy-authorization": trust.basic(unquote(user))} if at else None
    return f"{parts.scheme}://{place}", headers


def _through(proxy: str, tls: ssl.SSLContext, options: dict[str, Any]) -> urllib3.ProxyManager:
    place, headers = address(proxy)
    return urllib3.ProxyManager(
        place, proxy_headers=headers, ssl_context=tls, proxy_ssl_context=tls, **options
    )


class _Lasting:
    """Lets a peer pause while a body is sent: urllib3 gives it no longer than to connect."""

    sock: Any

    def endheaders(self, *arguments: Any, **options: Any) -> None:
        super().endheaders(*arguments, **options)  # type: ignore[misc]
        self.sock.settimeout(STORE)


class _Connection(_Lasting, HTTPConnection):
    pass


class _SecureConnection(_Lasting, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
