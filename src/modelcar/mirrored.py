"""What the pipeline's mirror task left: its digest, compared and recorded for it.

skopeo runs there by itself, without our code, so that the task after it does this.
"""

from modelcar import skopeo_copy
from modelcar.oci.reference import parse_image, parse_tag
from modelcar.task import task
from modelcar.values import Digest


def mirrored(reference: str, destination: str, digest: str, workdir: str) -> str:
    """Return where the image's mirror stands, by digest; nothing without one.

    Ends the process with MirrorError's code when the digests differ.
    """
    image, target = parse_image(reference), parse_tag(destination.removeprefix("docker://"))
    with task("mirror", workdir) as record:
        copy = skopeo_copy.compare(target, image.digest, Digest.parse(digest.strip()))
        if target.location == image.location:
            record.skip("no mirror is asked for")
            return ""
        record.done(copy, str(copy))
    return str(copy)
