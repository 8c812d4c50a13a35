"""What a stage did, in one line: for the terminal, the log and the report."""

from modelcar.values import BuiltImage, ModelVersion, Plan, Snapshot
from modelcar.wording import size


def plan(made: Plan) -> str:
    """Say a plan in one line."""
    moved = made.bytes
    if not moved.uploaded:
        return f"nothing changed: {size(moved.reused)} in {len(made.layers)} layers are reused"
    return (
        f"{len(made.files)} files in {len(made.layers)} layers: {size(moved.downloaded)} to "
        f"download, {size(moved.uploaded)} to upload, {size(moved.reused)} reused"
    )


def chosen(made: Plan) -> str:
    """Say in one line what is chosen, before any target was asked."""
    total = size(sum(file.size for file in made.files))
    return f"{len(made.files)} files in {len(made.layers)} layers, {total}"


def build(built: BuiltImage) -> str:
    """Say what a build did in one line."""
    if not built.changed:
        return f"{built.image} stands already; no byte moved"
    moved = built.bytes
    return f"{built.image}: {size(moved.uploaded)} uploaded, {size(moved.reused)} reused"


def register(version: ModelVersion) -> str:
    """Say in one line what is registered."""
    state = "registered" if version.changed else "was registered already"
    return f"{version.model} {version.version} (id {version.version_id}) {state}"


def verify(version: ModelVersion, url: str) -> str:
    """Say in one line what is recorded of an answer."""
    state = "recorded" if version.changed else "was recorded already"
    return f"the answer of {url} {state} at {version.model} {version.version}"


def download(snapshot: Snapshot) -> str:
    """Say what a download fetched."""
    return f"{size(snapshot.downloaded)} downloaded, {len(snapshot.files)} files verified"
