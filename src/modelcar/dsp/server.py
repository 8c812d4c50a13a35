"""The pipelines server, asked through KFP's generated client."""

import ssl
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final, cast

import urllib3

from modelcar import connections, trust
from modelcar.dsp.address import Address, Token
from modelcar.dsp.refusals import asking, no_server
from modelcar.errors import PipelinesError, UsageError
from modelcar.retries import retrying

Call = Callable[..., Any]
_TIMEOUT: Final = (10, 120)
"""Seconds to connect, and between two bytes of an answer."""
_PAGE: Final = 100


class PipelinesServer:
    """A pipelines server; its services are those of the generated client.

    Raises UsageError where that is not installed, or a CA file holds no certificate.
    """

    def __init__(self, address: Address, token: Token | None = None) -> None:
        kfp_server_api = library()
        self.address = address
        self._token = token or Token()
        self._configuration = kfp_server_api.Configuration(host=address.url)
        self._configuration.api_key_prefix["authorization"] = "Bearer"
        self._identify()
        client = kfp_server_api.ApiClient(self._configuration)
        client.rest_client.pool_manager = _pool(address)
        self._client = client
        self.pipelines = kfp_server_api.PipelineServiceApi(client)
        self.uploads = kfp_server_api.PipelineUploadServiceApi(client)
        self.experiments = kfp_server_api.ExperimentServiceApi(client)
        self.runs = kfp_server_api.RunServiceApi(client)
        self.recurring_runs = kfp_server_api.RecurringRunServiceApi(client)

    def ask(self, what: str, call: Call, *arguments: Any, **options: Any) -> Any:
        """Return what a call that changes nothing returns; it is tried again while that may help.

        Raises PipelinesError.
        """
        return retrying(lambda: self.tell(what, call, *arguments, **options))

    def tell(self, what: str, call: Call, *arguments: Any, **options: Any) -> Any:
        """Return what one call returns; a refused token is read anew. Raises PipelinesError."""
        try:
            return self._tell(what, call, *arguments, **options)
        except PipelinesError as error:
            if error.status != 401 or not self._token.renew():
                raise
        self._identify()
        return self._tell(what, call, *arguments, **options)

    def pages(self, what: str, call: Call, of: str, *key: str, **options: Any) -> Iterator[Any]:
        """Yield every item of a list, whose answers have them in `of`, page by page."""
        token, seen = "", set[str]()
        while not seen or token:
            if token in seen:
                raise PipelinesError(what, "its pages lead back to one before", "try again")
            seen.add(token)
            more = {"page_token": token} if token else {}
            found = self.ask(what, call, *key, page_size=_PAGE, **options, **more)
            yield from getattr(found, of) or ()
            token = found.next_page_token or ""

    def link(self, run_id: str) -> str:
        """Return the address of a run in the API."""
        return f"{self.address.url}/apis/v2beta1/runs/{run_id}"

    def _identify(self) -> None:
        text = self._token.text
        self._configuration.api_key = {"authorization": text} if text else {}

    def _tell(self, what: str, call: Call, *arguments: Any, **options: Any) -> Any:
        with asking(what):
            answer = call(*arguments, **options, _request_timeout=_TIMEOUT)
        # The client takes what is no JSON for an empty answer.
        if "json" not in (self._client.last_response.getheader("content-type") or ""):
            raise no_server(what)
        return answer


def library() -> ModuleType:
    """Return the generated client; raise UsageError where it is not installed."""
    try:
        import kfp_server_api
    except ModuleNotFoundError as error:
        remedy = "run `pip install '.[dsp]'` in the clone, or `make setup`"
        raise UsageError("the pipelines server", "kfp is not installed", remedy) from error
    return cast(ModuleType, kfp_server_api)


def _pool(address: Address) -> urllib3.PoolManager:
    # Without a count of tries, the client stumbles over a certificate that is not trusted.
    once = urllib3.Retry(total=0, redirect=False)
    proxy = connections.proxy_for(address.url)
    return connections.pool(proxy, _tls(address.ca), maxsize=4, retries=once)


def _tls(ca: str) -> ssl.SSLContext:
    """Return a context of its own: what signs the cluster's Routes is trusted only here."""
    context = trust.tls_context.__wrapped__()
    if ca:
        try:
            context.load_verify_locations(cadata=ca)
        except OSError as error:  # ssl's own errors are among them
            what = "the config map default-ingress-cert"
            raise PipelinesError(what, str(error), "write it with certificates in PEM") from error
    return context
