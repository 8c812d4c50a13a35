"""An OCI image layout: a folder with blobs and an index (image specification, "Image Layout")."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final

from modelcar.errors import ImageError, ReferenceError_
from modelcar.oci.content import Content, whole
from modelcar.oci.reference import Layout, Location, is_tag
from modelcar.oci.store import INDEX, MOST, KeptUpload, RawManifest
from modelcar.values import Digest

_NAME: Final = "org.opencontainers.image.ref.name"
_PARTIAL: Final = ".partial-"
_BLOCK: Final = 1 << 20
_STRANGE: Final = ValueError, KeyError, TypeError, RecursionError, ReferenceError_, OSError


class OciLayout:
    """Holds images in a folder; every file appears whole, by a rename."""

    def __init__(self, layout: Layout) -> None:
        self.location: Location = layout
        self._folder = layout.folder
        self._blobs = layout.folder / "blobs" / "sha256"

    def has_blob(self, digest: Digest) -> bool:
        """Return whether the blob's file is here."""
        return (self._blobs / digest.hex).is_file()

    def push_blob(self, content: Content, kept: KeptUpload | None = None) -> Digest:
        """Write the bytes and return their digest; raise ImageError when the disk refuses."""
        with self._writing() as file:
            with file.open("wb") as stream:
                for block in content.read():
                    stream.write(block)
                stream.flush()
                os.fsync(stream.fileno())
            file.replace(self._blobs / content.digest.hex)
        return content.digest

    def open_blob(self, digest: Digest) -> Iterator[bytes]:
        """Yield the blob's bytes and compare their digest at the end; raise ImageError."""
        sha256 = hashlib.sha256()
        try:
            with (self._blobs / digest.hex).open("rb") as stream:
                while block := stream.read(_BLOCK):
                    sha256.update(block)
                    yield block
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            why = "it is missing" if missing else error.strerror or str(error)
            what = f"blob {digest} of {self.location}"
            raise ImageError(what, why, "write the layout again") from error
        if sha256.hexdigest() != digest.hex:
            why = f"its bytes have the digest sha256:{sha256.hexdigest()}"
            raise ImageError(f"blob {digest} of {self.location}", why, "write the layout again")

    def tags(self) -> list[str]:
        """Return every tag of the index."""
        named = map(_tag, self._index()["manifests"])
        return [name for name in named if name]

    def manifest(self, name: str | Digest) -> RawManifest | None:
        """Return the manifest of a tag or digest, None when there is none."""
        for entry in self._index()["manifests"]:
            digest = Digest.parse(entry["digest"])
            if name in (_tag(entry), digest):
                return RawManifest(
                    str(entry.get("mediaType", "")), whole(self.open_blob(digest), MOST)
                )
        if isinstance(name, Digest) and self.has_blob(name):  # a child of an index
            content = whole(self.open_blob(name), MOST)
            return RawManifest(_media_type(content), content)
        return None

    def put_manifest(self, manifest: RawManifest, tag: str) -> None:
        """Store the manifest, then name it `tag` in the index unless that is empty."""
        self.push_blob(Content.of(manifest.content))
        entry: dict[str, Any] = {
            "mediaType": manifest.media_type,
            "digest": str(manifest.digest),
            "size": len(manifest.content),
        }
        if tag:
            entry["annotations"] = {_NAME: tag}
        with self._locked():
            index = self._index()
            index["manifests"] = [e for e in index["manifests"] if not _same(e, entry)] + [entry]
            self._write("index.json", index)

    def mount_blob(self, digest: Digest, source: Location) -> bool:
        """Return False: a layout takes nothing over from elsewhere."""
        return False

    def _index(self) -> dict[str, Any]:
        path = self._folder / "index.json"
        if not path.is_file():
            return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
        try:
            with path.open("rb") as stream:
                index = json.loads(whole(iter(lambda: stream.read(_BLOCK), b""), MOST))
            sound = [entry for entry in index["manifests"] if Digest.parse(entry["digest"])]
            return {**index, "manifests": sound}
        except _STRANGE as error:
            remedy = "remove the folder, or name another"
            raise ImageError(f"{path}", "it is no OCI image index", remedy) from error

    def _write(self, name: str, value: dict[str, Any]) -> None:
        with self._writing(locked=True) as file:
            file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
            file.replace(self._folder / name)

    @contextmanager
    def _writing(self, locked: bool = False) -> Iterator[Path]:
        try:
            self._blobs.mkdir(parents=True, exist_ok=True)
            with nullcontext() if locked else self._locked():
                handle, name = self._begun()
            file = Path(name)
            try:
                yield file
            finally:
                os.close(handle)
                file.unlink(missing_ok=True)
        except OSError as error:
            remedy = "free space or name another folder"
            raise ImageError(f"writing to {self.location}", str(error), remedy) from error

    def _begun(self) -> tuple[int, str]:
        """Make a file that is this process's own while it is open, and remove those of nobody."""
        for left in self._folder.glob(f"{_PARTIAL}*"):
            with suppress(OSError), left.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()  # its writer was killed
        handle, name = tempfile.mkstemp(prefix=_PARTIAL, dir=self._folder)
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.fchmod(handle, 0o644)
        return handle, name

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The marker file of every layout serves as the lock: two builds keep both their tags.
        with (self._folder / "oci-layout").open("a+", encoding="utf-8") as marker:
            fcntl.flock(marker, fcntl.LOCK_EX)
            if os.fstat(marker.fileno()).st_size == 0:
                marker.write('{"imageLayoutVersion":"1.0.0"}')
            yield


def _media_type(content: bytes) -> str:
    try:
        return str(json.loads(content).get("mediaType", ""))
    except (ValueError, AttributeError, RecursionError) as error:
        why, remedy = "an index names it as a manifest, and it is none", "write the layout again"
        raise ImageError("blob of an OCI layout", why, remedy) from error


def _name(entry: dict[str, Any]) -> Any:
    noted = entry.get("annotations")
    return noted.get(_NAME) if isinstance(noted, dict) else None


def _tag(entry: dict[str, Any]) -> str | None:
    name = _name(entry)
    return name if is_tag(name) else None  # other tools write whole references


def _same(entry: dict[str, Any], other: dict[str, Any]) -> bool:
    tags = [_name(e) for e in (entry, other)]
    return tags[0] == tags[1] and (tags[1] is not None or entry["digest"] == other["digest"])
