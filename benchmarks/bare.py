"""The limit: ready-made layers sent as they are, with the two sha256 sums that we must compute.

Run as a process of its own: `python -m benchmarks.bare HOST REPOSITORY WORKERS FILE...`.
"""

import hashlib
import http.client
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

BLOCK = 1 << 18


def main() -> None:
    """Send each file as a blob, so many at a time."""
    host, repository, workers, *files = sys.argv[1:]
    with ThreadPoolExecutor(int(workers)) as pool:
        list(pool.map(lambda file: send(host, repository, Path(file)), files))


def send(host: str, repository: str, file: Path) -> None:
    """Open an upload, stream the file in one PATCH, commit it by its digest."""
    connection = http.client.HTTPConnection(host)
    layer, source = hashlib.sha256(), hashlib.sha256()
    location = _request(connection, "POST", f"/v2/{repository}/blobs/uploads/", 202)
    length = {"Content-Length": str(file.stat().st_size)}
    connection.request("PATCH", location, _hashed(file, layer, source), length)
    location = _answer(connection, 202)
    _request(connection, "PUT", f"{location}&digest=sha256:{layer.hexdigest()}", 201)


def _hashed(file: Path, *sums: "hashlib._Hash") -> Iterator[bytes]:
    with file.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK):
            for one in sums:
                one.update(block)
            yield block


def _request(connection: http.client.HTTPConnection, method: str, path: str, status: int) -> str:
    connection.request(method, path, headers={"Content-Length": "0"})
    return _answer(connection, status)


def _answer(connection: http.client.HTTPConnection, status: int) -> str:
    response = connection.getresponse()
    response.read()
    if response.status != status:
        sys.exit(f"the OCI registry answered {response.status}, not {status}")
    target = urlsplit(response.headers["Location"])
    return f"{target.path}?{target.query}" if target.query else target.path


if __name__ == "__main__":
    main()
