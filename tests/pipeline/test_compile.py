"""Compiling: the same sources give the same bytes, and a runtime image takes the sources' place."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.compiled_file import EVERY, ROOT, SHIPPED, CompiledPipeline

SOURCES = ("components", "models", "pipelines", "scripts", "src", "constraints.txt")
RUNTIME = f"registry.example.com/team/modelcar@sha256:{'ab' * 32}"


def compile_in(
    root: Path, *options: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Compile with the sources below `root`, in a process of its own."""
    path = os.pathsep.join((str(root), str(root / "src")))
    return subprocess.run(
        [sys.executable, "-B", "-m", "scripts.compile", *options],
        env={**os.environ, "PYTHONPATH": path, **environment},
        cwd=cwd or root,
        umask=0o077,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources, all of them modified just now and readable by one user."""
    root = tmp_path_factory.mktemp("elsewhere")
    skipped = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=skipped, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(ROOT / name, root / name)
    for path in root.rglob("*.py"):
        path.chmod(0o600)
    return root


def test_shipped_file_is_what_the_sources_give_anywhere(copied: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = compile_in(copied, "--out", str(out), cwd=tmp_path, PYTHONHASHSEED="7")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    made = {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}
    assert made == {path.name: path.read_text(encoding="utf-8") for path in EVERY}, "make compile"


def test_check_tells_a_file_that_is_out_of_date(copied: Path, tmp_path: Path) -> None:
    for path in EVERY:
        shutil.copyfile(path, tmp_path / path.name)
    stale = tmp_path / "modelcar.yaml"
    stale.write_text(SHIPPED.read_text(encoding="utf-8") + "\n")
    (tmp_path / "mistral-24b.yaml").rename(tmp_path / "mistral-23b.yaml")
    before = stale.read_bytes()

    done = compile_in(copied, "--check", "--out", str(tmp_path))

    assert done.returncode == 1
    assert done.stderr == (
        "not what the sources give: modelcar.yaml, mistral-24b.yaml, mistral-23b.yaml;"
        " run `make compile`, and remove what is old\n"
    )
    assert stale.read_bytes() == before


def test_runtime_image_leaves_nothing_to_embed_or_install(copied: Path, tmp_path: Path) -> None:
    done = compile_in(copied, "--runtime-image", RUNTIME, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    made = CompiledPipeline(tmp_path / "modelcar.yaml")
    shipped = CompiledPipeline(SHIPPED)
    for name, executor in made.executors.items():
        original = shipped.executors[name]
        assert executor.embedded == ""
        assert executor.requirements == []
        assert "pip install" not in executor.text
        assert executor.container["image"] == RUNTIME
        assert executor.kubernetes == original.kubernetes
        of_code = {"PIP_CACHE_DIR", "MODELCAR_CODE"}
        assert executor.environment.keys() == original.environment.keys() - of_code
    assert made.tasks == shipped.tasks
    assert made.parameters == shipped.parameters


def test_runtime_image_must_be_pinned_by_digest(copied: Path, tmp_path: Path) -> None:
    done = compile_in(copied, "--runtime-image", "quay.io/team/modelcar:1", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "a digest is needed" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_site_names_the_images_and_variables_go_to_every_task(
    copied: Path, tmp_path: Path
) -> None:
    named = {
        kind: f"registry.internal:5000/ubi9/{kind}@sha256:{'cd' * 32}"
        for kind in ("base", "python", "skopeo")
    }
    site = tmp_path / "site.yaml"
    places = {"oci_registry": "quay.internal/models", "namespace": "models", "pvc": "large"}
    site.write_text(json.dumps({"images": named, **places}))
    proxy = ("--env", "HTTPS_PROXY=http://proxy.internal:3128", "--env", "NO_PROXY=.internal")

    done = compile_in(copied, "--site", str(site), *proxy, "--out", str(tmp_path / "out"))

    assert done.returncode == 0, done.stderr
    made = CompiledPipeline(tmp_path / "out/modelcar.yaml")
    shown = {name: one["defaultValue"] for name, one in made.parameters.items()}
    assert shown["base_image"] == named["base"]
    assert (shown["registry"], shown["namespace"]) == ("quay.internal/models", "models")
    assert shown["pvc_name"] == "large"
    for name, executor in made.executors.items():
        kind = "skopeo" if name == "mirror" else "python"
        assert executor.container["image"] == named[kind]
        assert executor.environment["HTTPS_PROXY"] == "http://proxy.internal:3128"
        assert executor.environment["NO_PROXY"] == ".internal,.svc,.cluster.local,172.30.0.1"


@pytest.mark.parametrize(
    ("variable", "fault"),
    [
        ("HTTPS_PROXY", "write NAME=VALUE"),
        ("HF_TOKEN=hush", "HF_TOKEN looks like a secret"),
        ("QUAY_PASS=hush", "QUAY_PASS looks like a secret"),
        ("AWS_ACCESS_KEY_ID=hush", "AWS_ACCESS_KEY_ID looks like a secret"),
        ("HF=hf_hush", "HF looks like a secret"),
        ("INDEX=https://index/?key=hush", "INDEX looks like a secret"),
        ("HTTPS_PROXY=http://me:hush@proxy:3128", "HTTPS_PROXY looks like a secret"),
    ],
)
def test_no_secret_is_compiled(copied: Path, tmp_path: Path, variable: str, fault: str) -> None:
    done = compile_in(copied, "--env", variable, "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert fault in done.stderr
    assert "hush" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_site_file_with_a_fault_is_one_line(copied: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("images: {python: UBI}\n")
    done = compile_in(copied, "--site", str(site), "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "images.python" in done.stderr
    assert "Traceback" not in done.stderr
