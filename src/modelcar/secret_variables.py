"""The environment variables that hold secrets: no other program gets them, no line shows them."""

from typing import Final

NAMES: Final = (
    *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODEL_REGISTRY_TOKEN"),
    *("MODELCAR_ENDPOINT_TOKEN", "KFP_EXISTING_TOKEN", "QUAY_PASSWORD"),
)
