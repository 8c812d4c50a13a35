"""An example of each verb; a test parses them all."""

_DIGEST = "sha256:…"
_IMAGE = f"quay.io/me/qwen@{_DIGEST}"
_QWEN = "qwen2-5-0-5b-instruct"
EXAMPLES = {
    "init": (
        "modelcar init hf://Qwen/Qwen2.5-0.5B-Instruct",
        "modelcar init hf://Qwen/Qwen2.5-0.5B-Instruct --gpu L4 --out -",
    ),
    "schema": ("modelcar schema catalog > models/schema.json",),
    "check": ("modelcar check", "modelcar check models/mine.yaml site.yaml"),
    "pin": (f"modelcar pin {_QWEN}",),
    "plan": (
        "modelcar plan hf://Qwen/Qwen2.5-0.5B-Instruct",
        f"modelcar plan {_QWEN} --to quay.io/me/qwen:1.0",
    ),
    "run": (
        f"modelcar run {_QWEN}",
        f"modelcar run {_QWEN} --site site.yaml --out out",
    ),
    "download": (f"modelcar download {_QWEN} --workdir /mnt/models",),
    "build": (
        f"modelcar build {_QWEN} --to quay.io/me/qwen:1.0",
        f"modelcar build {_QWEN} --to oci:images:qwen",
    ),
    "mirror": (f"modelcar mirror {_IMAGE} registry.example.com/models/qwen",),
    "register": (f"modelcar register {_QWEN} --image {_IMAGE}",),
    "deploy": (
        f"modelcar deploy {_QWEN} --image {_IMAGE} --dry-run",
        f"modelcar deploy {_QWEN} --image {_IMAGE} -n models --rollback-on-failure",
    ),
    "versions": (f"modelcar versions {_QWEN}",),
    "archive": (f"modelcar archive {_QWEN} 1.0",),
    "restore": (f"modelcar restore {_QWEN} 1.0",),
    "diagnose": (f"modelcar diagnose {_QWEN} -n models",),
    "rollback": (f"modelcar rollback {_QWEN} -n models",),
    "undeploy": (f"modelcar undeploy {_QWEN} -n models",),
    "bootstrap": (
        "modelcar bootstrap -n models --env-file .env --dry-run",
        "modelcar bootstrap -n models --env-file .env",
    ),
    "preflight": (f"modelcar preflight {_QWEN} --site site.yaml",),
    "submit": (f"modelcar submit {_QWEN} --site site.yaml --wait",),
    "runs": (f"modelcar runs {_QWEN} --limit 5",),
    "cancel": ("modelcar cancel 7f3c0a52-0a1e-4b1c-9f1d-4f8f0f3b6f0e",),
    "schedule": (
        f"modelcar schedule {_QWEN} --cron '0 3 * * *'",
        f"modelcar schedule {_QWEN} --cron '0 3 * * *' --follow",
    ),
    "schedules": ("modelcar schedules",),
    "unschedule": (f"modelcar unschedule {_QWEN}",),
    "prune": (f"modelcar prune {_QWEN} --keep 3 --dry-run",),
}
