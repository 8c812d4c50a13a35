"""Ask a server without a client library, and take every answer as it is."""

import urllib.error
import urllib.request
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of one answer, whatever the status."""

    status: int
    body: bytes


def answered(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request) as response:
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read())
