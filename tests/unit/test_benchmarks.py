"""How `make bench` measures one process, compares two, and words what it found."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import shards
from benchmarks.machine import cpu_model
from benchmarks.measure import Measured, measure, surroundings
from benchmarks.results import Outcome, Report, Table, markdown, ratio
from benchmarks.runs import Contestant, Ratio, Runs, best, in_rounds
from modelcar.safetensors import HeaderReader

MEGABYTE = 1_000_000


def runs(*seconds: float) -> Runs:
    return Runs([Measured(one, cpu=one, peak=1, read=0, written=0) for one in seconds])


def python(home: Path, program: str, file_limit: int = 0) -> Measured:
    return measure([sys.executable, "-S", "-c", program], home, file_limit=file_limit)


def test_a_small_process_of_a_large_one_is_measured_small(tmp_path: Path) -> None:
    ballast = bytearray(b"1") * (100 * MEGABYTE)
    assert python(tmp_path, "pass").peak < 20 * MEGABYTE
    assert len(ballast) == 100 * MEGABYTE


def test_the_peak_is_that_of_the_largest_child(tmp_path: Path) -> None:
    child = "held = b'1' * 60_000_000"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert 60 * MEGABYTE < python(tmp_path, program).peak < 90 * MEGABYTE


def test_bytes_of_files_count_and_those_of_sockets_do_not(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(bytes(5 * MEGABYTE))
    from_file = python(tmp_path, f"open({str(tmp_path / 'weights')!r}, 'rb').read()")
    from_socket = python(
        tmp_path,
        "import socket; a, b = socket.socketpair()\n"
        "for _ in range(50): a.sendall(bytes(100_000)); b.recv(100_000, socket.MSG_WAITALL)",
    )
    assert 5 * MEGABYTE < from_file.read < 9 * MEGABYTE
    assert from_socket.read < 4 * MEGABYTE


def test_a_file_beyond_the_limit_fails_the_run(tmp_path: Path) -> None:
    program = f"open({str(tmp_path / 'large')!r}, 'wb').write(bytes(100_000))"
    assert python(tmp_path, program, file_limit=200_000).seconds > 0
    with pytest.raises(subprocess.CalledProcessError) as failed:
        python(tmp_path, program, file_limit=50_000)
    assert "File too large" in failed.value.output


def test_nothing_of_the_user_reaches_a_contestant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "OCI_PASSWORD", "MODELCAR_WORKDIR", "PYTHONPATH"):
        monkeypatch.setenv(name, "of the user")
    assert "of the user" not in surroundings(tmp_path).values()
    assert surroundings(tmp_path)["HF_HOME"] == str(tmp_path)


def test_a_ratio_is_of_the_medians_and_over_the_rounds() -> None:
    found = Ratio.of(runs(1.0, 2.0, 9.0), runs(4.0, 4.0, 10.0))
    assert found == Ratio(of_medians=0.5, median=0.5, least=0.25, most=0.9)
    assert str(found) == "0.50 (0.50 by rounds, 0.25 to 0.90)"


def test_an_aim_is_met_when_both_ratios_meet_it() -> None:
    assert ratio("row", Ratio(0.4, 0.45, 0.1, 0.9), 0.45).met
    assert not ratio("row", Ratio(0.4, 0.46, 0.1, 0.9), 0.45).met
    assert not ratio("row", Ratio(0.46, 0.4, 0.1, 0.9), 0.45).met


def test_every_other_round_goes_backwards() -> None:
    order: list[str] = []

    def contestant(name: str) -> Contestant:
        def run() -> Measured:
            order.append(name)
            return runs(1.0).measured[0]

        return run

    found = in_rounds(3, {name: contestant(name) for name in "ab"})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [len(one.measured) for one in found.values()] == [3, 3]


def test_the_best_of_several_is_the_fastest() -> None:
    both = {"slow": runs(3.0), "fast": runs(2.0), "other": runs(1.0)}
    assert best(both, ["slow", "fast"]) is both["fast"]


def test_the_page_begins_with_the_machine_and_the_rows_that_have_an_aim() -> None:
    finding = ratio("disk to OCI registry", Ratio(0.47, 0.47, 0.4, 0.5), 0.45)
    outcome = Outcome(
        "From disk", [finding], Table(("who", "seconds"), [("ours", "1.00")]), "Once."
    )
    assert markdown(Report(["2 cores"], [outcome], ["Fair."])).splitlines() == [
        "# Measured",
        "",
        "- 2 cores",
        "",
        "| row | found | aim | met |",
        "| --- | --: | --: | --: |",
        "| disk to OCI registry | 0.47 (0.47 by rounds, 0.40 to 0.50) | ≤ 0.45 | NO |",
        "",
        "## From disk",
        "",
        "Once.",
        "",
        "| who | seconds |",
        "| --- | --: |",
        "| ours | 1.00 |",
        "",
        "## Read with care",
        "",
        "- Fair.",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model name\t: AMD EPYC\nflags\t\t: fpu sha_ni avx2\n", "AMD EPYC (with sha_ni)"),
        ("model name\t: Old\nflags\t\t: fpu\n", "Old (without sha256 instructions)"),
    ],
)
def test_the_processor_is_told_with_what_it_offers_for_sha256(text: str, told: str) -> None:
    assert cpu_model(text) == told


def test_shards_are_safetensors_of_the_size_asked_for(tmp_path: Path) -> None:
    shards.write(tmp_path / "random", 2, 3000)
    shards.write_sparse(tmp_path / "zeros", 2, 3000)
    for folder in ("random", "zeros"):
        for name in shards.names(2):
            content = (tmp_path / folder / name).read_bytes()
            reader = HeaderReader(name, len(content))
            reader.update(content)
            reader.finish()
            assert reader.tensors == {"BF16": 1500}
