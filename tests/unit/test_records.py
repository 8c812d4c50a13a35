import json
import stat
import time
from pathlib import Path

import pytest

from modelcar import atomic, run_summary
from modelcar.errors import DeployError, ModelCarError, UsageError
from modelcar.records import RunRecorder, harmless
from modelcar.values import (
    BuiltImage,
    Digest,
    Endpoint,
    ImageDigest,
    ImageLayer,
    ModelVersion,
    Moved,
    StageRecord,
    from_json,
)
from tests import canary

DIGEST = Digest("a" * 64)
IMAGE = ImageDigest("quay.io/org/m", DIGEST)
BUILT = BuiltImage(IMAGE, "quay.io/org/m:1", (ImageLayer(DIGEST, 5, ("x",)),), Moved(5), 1.5, True)


def on_disk(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "records" / "run-1").iterdir())


def test_a_stage_is_running_first_and_then_holds_its_result(tmp_path: Path) -> None:
    before = time.time()
    with RunRecorder(tmp_path, "run-1").stage("build") as handle:
        (during,) = run_summary.read(tmp_path, "run-1")
        handle.done(BUILT, "5 layers")
    (after,) = run_summary.read(tmp_path, "run-1")

    assert (during.name, during.status, during.seconds) == ("build", "running", 0.0)
    assert before <= during.started <= time.time()
    assert (after.status, after.detail, after.started) == ("succeeded", "5 layers", during.started)
    assert 0 < after.seconds < 60
    assert from_json(BuiltImage, after.result) == BUILT
    assert on_disk(tmp_path) == ["03-build.json"]


def test_a_stage_that_says_nothing_succeeded(tmp_path: Path) -> None:
    with RunRecorder(tmp_path, "run-1").stage("plan"):
        pass
    (record,) = run_summary.read(tmp_path, "run-1")
    assert (record.status, record.detail, record.result) == ("succeeded", "", {})


def test_skipped_and_rendered_stages_are_told_apart(tmp_path: Path) -> None:
    recorder = RunRecorder(tmp_path, "run-1")
    with recorder.stage("mirror") as handle:
        handle.skip("no mirror asked for")
    with recorder.stage("deploy") as handle:
        handle.render("written to out.yaml", {"path": "out.yaml"})

    mirror, deploy = run_summary.read(tmp_path, "run-1")
    assert (mirror.status, mirror.detail, mirror.result) == ("skipped", "no mirror asked for", {})
    assert (deploy.status, deploy.result) == ("rendered", {"path": "out.yaml"})


def test_a_failure_is_recorded_with_its_parts_and_raised_again(tmp_path: Path) -> None:
    error = DeployError("m not ready", "no GPU; none at all", "add a node")
    with pytest.raises(DeployError) as caught, RunRecorder(tmp_path, "run-1").stage("deploy"):
        raise error
    (record,) = run_summary.read(tmp_path, "run-1")

    assert caught.value is error
    assert (record.status, record.error) == ("failed", str(error))
    assert record.result == {
        "what": "m not ready",
        "why": "no GPU; none at all",
        "remedy": "add a node",
    }


def test_a_failure_keeps_what_was_said_before_and_what_was_found(tmp_path: Path) -> None:
    secret = canary.secret("hf_")
    error = DeployError("m", "it crashed")
    error.add_note(f"INFO api_key='{secret}', max_tokens=32")
    error.add_note(f"Authorization: Bearer {secret}\x1b")
    recorder = RunRecorder(tmp_path, "run-1")
    with pytest.raises(DeployError), recorder.stage("deploy") as handle:
        handle.done({"name": "m"})
        raise error
    (record,) = run_summary.read(tmp_path, "run-1")
    assert (record.status, record.result["name"]) == ("failed", "m")
    assert record.result["evidence"] == [
        "INFO api_key='***', max_tokens=32",
        "Authorization: Bearer ***",
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("x"), "KeyError: 'x'"),
        (
            KeyboardInterrupt(),
            "build: it was interrupted; run it again: it goes on where it stopped",
        ),
        (OSError("token=" + canary.secret()), "OSError: token=***"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_any_exception_makes_a_failed_record(
    tmp_path: Path, error: BaseException, text: str
) -> None:
    with pytest.raises(type(error)), RunRecorder(tmp_path, "run-1").stage("build"):
        raise error
    (record,) = run_summary.read(tmp_path, "run-1")
    assert (record.status, record.error) == ("failed", text)


def test_the_stages_error_outlives_a_record_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(DeployError) as caught,
        RunRecorder(tmp_path, "run-1").stage("deploy"),
    ):
        record = tmp_path / "records/run-1/06-deploy.json"
        record.unlink()
        record.mkdir()
        raise DeployError("broken")
    assert "its record could not be written" in caught.value.__notes__[0]


def test_a_stage_run_again_replaces_its_record(tmp_path: Path) -> None:
    with pytest.raises(KeyError), RunRecorder(tmp_path, "run-1").stage("build"):
        raise KeyError
    with RunRecorder(tmp_path, "run-1").stage("build") as handle:
        handle.done(BUILT)
    assert [stage.status for stage in run_summary.read(tmp_path, "run-1")] == ["succeeded"]


def test_stages_come_in_the_order_of_a_run_and_runs_stay_apart(tmp_path: Path) -> None:
    for stage in ("warm-up", "deploy", "plan", "build"):
        with RunRecorder(tmp_path, "run-1").stage(stage):
            pass
    with RunRecorder(tmp_path, "run-2").stage("mirror"):
        pass
    names = [stage.name for stage in run_summary.read(tmp_path, "run-1")]
    assert names == ["plan", "build", "deploy", "warm-up"]
    assert run_summary.read(tmp_path, "run-3") == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"name": "build", "stat',
        b"[]",
        b"null",
        b"5",
        b'"name status started"',
        b"\xff\xfe",
        b"{}",
        b'{"name": "build", "status": "great", "started": 1}',
        b'{"name": "build", "status": "running", "started": "soon"}',
        b'{"name": "build", "status": "running", "started": NaN}',
        b'{"name": "build", "status": "running", "started": 1, "result": []}',
        b'{"name": 4, "status": "running", "started": 1}',
        b'{"name": "build", "status": [], "started": 1}',
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:60]),
)
def test_a_damaged_record_reads_as_a_failed_stage(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "records" / "run-1"
    folder.mkdir(parents=True)
    (folder / "03-build.json").write_bytes(content)

    (record,) = run_summary.read(tmp_path, "run-1")
    assert (record.name, record.status) == ("build", "failed")
    assert record.started > 0
    assert record.error == (
        "the record 03-build.json: it is half written, or no stage record; "
        "run the stage again, which writes it anew"
    )


def test_a_record_that_cannot_be_opened_reads_as_a_failed_stage(tmp_path: Path) -> None:
    (tmp_path / "records/run-1/02-download.json").mkdir(parents=True)
    (record,) = run_summary.read(tmp_path, "run-1")
    assert (record.name, record.status) == ("download", "failed")
    assert "Is a directory" in record.error


def test_unknown_fields_of_another_release_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "records" / "run-1"
    folder.mkdir(parents=True)
    row = {"name": "plan", "status": "succeeded", "started": 5, "mood": "good"}
    (folder / "01-plan.json").write_text(json.dumps(row))
    assert run_summary.read(tmp_path, "run-1") == (StageRecord("plan", "succeeded", 5),)


@pytest.mark.parametrize("run_id", ["", "..", "a/b", "/etc", ".hidden", "x" * 300])
def test_a_run_id_that_is_no_folder_name_is_refused(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(UsageError, match="run id"):
        RunRecorder(tmp_path, run_id)
    with pytest.raises(UsageError, match="run id"):
        run_summary.read(tmp_path, run_id)


def test_a_stage_name_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="is not a stage's name"),
        RunRecorder(tmp_path, "run-1").stage("../x"),
    ):
        pass


def stage(stage: str, status: str = "succeeded", **result: object) -> StageRecord:
    row = {"name": stage, "status": status, "started": 1.0, "result": result}
    record: StageRecord = from_json(StageRecord, row)
    return record


def test_summary_takes_digest_mirror_registered_and_endpoint(tmp_path: Path) -> None:
    recorder = RunRecorder(tmp_path, "run-1")
    version = ModelVersion("m", "1", f"oci://quay.io/org/m@{DIGEST}", "1", "2", "3")
    results = {
        "build": BUILT,
        "mirror": ImageDigest("mirror.io/m", DIGEST),
        "register": version,
        "deploy": Endpoint("m", "ns", "https://m.example.com", 60.0),
    }
    for name, result in results.items():
        with recorder.stage(name) as handle:
            handle.done(result)
    run = run_summary.summary("m", "1", run_summary.read(tmp_path, "run-1"))

    assert (run.model, run.version, run.status) == ("m", "1", "succeeded")
    assert run.digest == str(DIGEST)
    assert run.mirror == f"mirror.io/m@{DIGEST}"
    assert run.registered == f"oci://quay.io/org/m@{DIGEST}"
    assert run.endpoint == "https://m.example.com"
    assert len(run.stages) == 4


@pytest.mark.parametrize(
    ("stages", "status"),
    [
        ([], "running"),
        ([stage("plan")], "succeeded"),
        ([stage("plan"), stage("mirror", "skipped"), stage("deploy", "rendered")], "succeeded"),
        ([stage("plan"), stage("build", "running")], "running"),
        ([stage("build", "running"), stage("deploy", "failed")], "failed"),
    ],
)
def test_summary_status_is_the_worst_of_its_stages(stages: list[StageRecord], status: str) -> None:
    assert run_summary.summary("m", "1", stages).status == status


def test_summary_takes_nothing_from_results_of_another_form() -> None:
    stages = [
        stage("build", image="x"),
        stage("mirror", name="quay.io/x", digest=5),
        stage("deploy", "rendered", path="x.yaml"),
    ]
    run = run_summary.summary("m", "1", stages)
    assert (run.digest, run.mirror, run.registered, run.endpoint) == ("", "", "", "")


def test_a_folder_that_cannot_be_written_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("in the way")
    with (
        pytest.raises(ModelCarError, match="record of plan: Not a directory; check"),
        RunRecorder(tmp_path, "run-1").stage("plan"),
    ):
        pass


def test_an_atomic_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.write(path, "old\r\n")
    with pytest.raises(UnicodeEncodeError):
        atomic.write(path, "new \udcff")
    assert path.read_bytes() == b"old\r\n"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Authorization: Basic CANARY", "Authorization: Basic ***"),
        ("--api-key=CANARY", "--api-key=***"),
        ("--api-key CANARY --port 8000", "--api-key *** --port 8000"),
        ("args: ['--api-key', 'CANARY', '--port']", "args: ['--api-key', '***', '--port']"),
        ("args: ['--api-key', 'CANARY', 'CANARY']", "args: ['--api-key', '***']"),
        (r'"[\"--api-key\", \"CANARY\"]"', r'"[\"--api-key\", \"***\"]"'),
        (r"{\"token\": \"CANARY\", \"a\": 1}", r"{\"token\": \"***\", \"a\": 1}"),
        ("name it with --token, or set HF_TOKEN", "name it with --token, or set HF_TOKEN"),
        ("--api-key CANARY CANARY --port 8000", "--api-key *** --port 8000"),
        ("--hf-token CANARY and more", "--hf-token *** and more"),
        ("--api-key --port 8000", "--api-key --port 8000"),
        ("unexpected token: [ in config.json; look", "unexpected token: *** in config.json; look"),
        ("api_key=['CANARY', 'CANARY'], port=1", "api_key=[***], port=1"),
        ("api_key=['CANARY', 'CAN", "api_key=[***"),
        ("passwd=CANARY passphrase: CANARY", "passwd=*** passphrase: ***"),
        ("--max-num-batched-tokens 2048", "--max-num-batched-tokens 2048"),
        ("AWS_SECRET_ACCESS_KEY=CANARY", "AWS_SECRET_ACCESS_KEY=***"),
        ("secret_key: CANARY", "secret_key: ***"),
        ("token: Bearer CANARY", "token: Bearer ***"),
        ("https://me:CANARY@example.com/a", "https://me:***"),
        (f"with hf_{'a' * 34} of", "with *** of"),
        ("docker://127.0.0.1:5000/m@sha256:00", "docker://127.0.0.1:5000/m@sha256:00"),
        (
            "hf_overrides={}, tokenizer=x, max_tokens=32",
            "hf_overrides={}, tokenizer=x, max_tokens=32",
        ),
        ("quay.io/org/m:1.0@sha256:00 not found", "quay.io/org/m:1.0@sha256:00 not found"),
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str, told: str) -> None:
    assert harmless(text.replace("CANARY", canary.secret())) == told
