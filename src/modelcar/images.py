"""The images that a run uses unless the site file names others, each pinned by its digest."""

BASE = (
    "registry.access.redhat.com/ubi9/ubi-micro"
    "@sha256:093a704be0eaef9bb52d9bc0219c67ee9db13c2e797da400ddb5d5ae6849fa10"
)
"""What a ModelCar stands on: small, with the `sh`, `ls`, `ln` and `sleep` that KServe runs."""

PYTHON = (
    "registry.access.redhat.com/ubi9/python-312"
    "@sha256:83b01cf47b22e6ce98a0a4802772fb3d4b7e32280e3a1b7ffcd785e01956e1cb"
)
"""What the pipeline's Python stages run on."""

SKOPEO = (
    "quay.io/skopeo/stable:v1.22.3-immutable"
    "@sha256:c0ee1f4edca5c01cb8d5611124f92f3cc47196ecab68aee5d0f90834e00574d5"
)
"""What the pipeline's mirror stage runs on; 1.19 or later, which retries 502 to 504."""
