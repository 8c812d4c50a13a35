"""A headless Chromium that draws a page, by the Chrome DevTools protocol."""

import base64
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3
from websocket import WebSocket, create_connection

# The 256 most frequent colours stay as they are, the others become the nearest of them.
_FEW_COLOURS: Final = """(async () => {
  const image = new Image();
  image.src = "data:image/png;base64,%s";
  await image.decode();
  const {width, height} = image, context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  const kept = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, 256);
  const parts = (pixel) => [pixel & 255, pixel >> 8 & 255, pixel >> 16 & 255];
  const far = (a, b) => parts(a).reduce((sum, one, at) => sum + (one - parts(b)[at]) ** 2, 0);
  const places = new Map(kept.map((pixel, at) => [pixel, at]));
  for (const pixel of counts.keys())
    if (!places.has(pixel))
      places.set(pixel, kept.reduce((best, one, at) =>
        far(pixel, one) < far(pixel, kept[best]) ? at : best, 0));
  let text = "";
  for (const pixel of pixels) text += String.fromCharCode(places.get(pixel));
  return JSON.stringify({width, height, palette: kept.flatMap(parts), pixels: btoa(text)});
})()"""


@dataclass
class Browser:
    """One page of a browser."""

    socket: WebSocket
    number: int = 0

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method and return its result."""
        self.number += 1
        told = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(told))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                return answer["result"]

    def value(self, expression: str) -> Any:
        """Return what an expression gives in the page."""
        called = self.call("Runtime.evaluate", expression=expression, awaitPromise=True)
        return called["result"]["value"]

    def show(self, url: str) -> None:
        """Return once the page of an address is there."""
        self.call("Page.navigate", url=url)
        while not self.value(f"document.readyState == 'complete' && location == {url!r}"):
            time.sleep(0.05)


@contextmanager
def started(folder: Path) -> Iterator[Browser]:
    """Start a browser that keeps what is its own in `folder`."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    places = [f"--user-data-dir={folder}", "--remote-debugging-port=0", "--remote-allow-origins=*"]
    command = ["chromium", *options, *places, "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Browser(create_connection(_address(folder / "DevToolsActivePort"), timeout=60))
    finally:
        process.terminate()
        process.wait()


def picture(browser: Browser, url: str, size: tuple[int, int], scheme: str) -> bytes:
    """Return a page as PNG of few colours, so wide and at most so high; exit if it is wider."""
    width, tallest = size
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.call("Emulation.setDeviceMetricsOverride", **metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.call("Emulation.setEmulatedMedia", features=[feature])
    browser.show(url)
    wide, high = (
        browser.value(f"document.documentElement.scroll{side}") for side in ("Width", "Height")
    )
    if wide > width:
        sys.exit(f"{url}: {wide} pixels do not fit into {width}")
    clip = {"x": 0, "y": 0, "width": width, "height": min(high, tallest), "scale": 1}
    options = {"format": "png", "clip": clip, "captureBeyondViewport": True}
    drawn = browser.call("Page.captureScreenshot", **options)["data"]
    browser.show("about:blank")
    return _png(json.loads(browser.value(_FEW_COLOURS % drawn)))


def _png(told: dict[str, Any]) -> bytes:
    """Return an image of a palette as PNG (RFC 2083)."""
    width, height, palette = told["width"], told["height"], bytes(told["palette"])
    pixels = base64.b64decode(told["pixels"])
    rows = (b"\0" + pixels[at : at + width] for at in range(0, width * height, width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    data = zlib.compress(b"".join(rows), 9)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _address(told: Path) -> str:
    """Return the address of the browser's page, once it tells its port."""
    deadline = time.monotonic() + 60
    while not told.is_file() or not told.read_text().strip():
        if time.monotonic() > deadline:
            sys.exit("chromium did not start")
        time.sleep(0.1)
    port = told.read_text().splitlines()[0]
    listed = urllib3.request("GET", f"http://127.0.0.1:{port}/json/list").json()
    return str(next(one["webSocketDebuggerUrl"] for one in listed if one["type"] == "page"))
