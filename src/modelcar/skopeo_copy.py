"""One copy of an image as skopeo is told to make it, and what must come out. Pure."""

from modelcar.errors import MirrorError
from modelcar.oci.reference import (
    DigestReference,
    Layout,
    Location,
    Reference,
    Repository,
    TagReference,
    parse_image,
)
from modelcar.trust import is_loopback
from modelcar.values import Digest, ImageDigest


def location(reference: Reference) -> str:
    """Return `reference` as skopeo names it: with its transport, by digest at a registry."""
    if isinstance(reference.location, Layout):
        return f"oci:{reference.location.folder}:{reference.tag or 'latest'}"
    if isinstance(reference, DigestReference):
        return f"docker://{reference.location}@{reference.digest}"
    return f"docker://{reference.location}:{reference.tag}"


def verify_tls(where: Location) -> str:
    """Return `true`, or `false` on loopback, where plain HTTP is spoken."""
    return str(not (isinstance(where, Repository) and is_loopback(where.host))).lower()


def copy_arguments(
    source: str,
    destination: str,
    digest_file: str,
    source_tls: str,
    destination_tls: str,
    *,
    retries: int = 5,
) -> list[str]:
    """Return the arguments of one copy that keeps every digest.

    Without --preserve-digests skopeo compresses the layers on their way and every digest changes;
    without --all it takes one platform of an index. The values may be KFP placeholders.
    """
    return [
        "copy",
        "--all",
        "--preserve-digests",
        f"--retry-times={retries}",
        f"--src-tls-verify={source_tls}",
        f"--dest-tls-verify={destination_tls}",
        f"--digestfile={digest_file}",
        source,
        destination,
    ]


def endpoints(image: ImageDigest, destination: TagReference) -> tuple[str, ...]:
    """Return source, destination and whether to verify each one's TLS, as skopeo takes them.

    Where no mirror is asked for, the destination is where the image stands already: such a copy
    does nothing, so that the pipeline needs no branch.
    """
    source = parse_image(str(image))
    tls = (verify_tls(source.location), verify_tls(destination.location))
    return (location(source), location(destination), *tls)


def compare(destination: TagReference, expected: Digest, copied: Digest) -> ImageDigest:
    """Return the mirrored image once its digest is the source's; raise MirrorError."""
    if copied != expected:
        why = f"it arrived as {copied}, not as {expected}"
        raise MirrorError(f"mirroring to {destination}", why, "do not use that copy: mirror again")
    return destination.at(copied).image
