"""What a build writes to disk on its way from the Hub into an OCI registry."""

from pathlib import Path

from benchmarks.results import Finding, Outcome, Table
from benchmarks.stand import REPO, SOURCE, Stand
from modelcar.wording import size
from tests.servers.hub import HubServer

LIMIT = 1 << 20
"""Bytes: no file may grow beyond this while the build runs."""
JOURNAL = ".modelcar"


def run(stand: Stand) -> Outcome:
    """Build with empty folders, held to small files, and count what lies in them afterwards."""
    work = stand.empty("work")
    with HubServer({REPO: stand.model()}) as hub, stand.oci_registry() as server:
        hub.commit(REPO)
        target = f"{server.host}/measured/modelcar:1"
        measured = stand.build(SOURCE, target, work, hub.url, file_limit=LIMIT)
    journal = _below(work / JOURNAL)
    left = _below(work) + _below(stand.folder / "home") - journal
    found = f"{left} B left besides the journal's {size(journal)}; {size(measured.written)} in all"
    nothing = left == 0 and measured.written < LIMIT
    finding = Finding("disk written besides the download", found, "0 B", nothing)
    rows = [
        ("files left in work folder, home and temporary folder", size(left)),
        (f"the journal, {JOURNAL}/", size(journal)),
        ("pages that were to go to disk, also of files removed since", size(measured.written)),
        ("the largest file that was allowed", size(LIMIT)),
    ]
    return Outcome("Written", [finding], Table(("what", "bytes"), rows), stand.note())


def _below(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)
