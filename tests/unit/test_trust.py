from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar import trust
from modelcar.errors import UsageError
from modelcar.trust import is_loopback

LOOPBACK = (
    "localhost",
    "localhost:5000",
    "127.0.0.1",
    "127.0.0.1:5000",
    "127.255.255.254:1",
    "::1",
    "[::1]",
    "[::1]:5000",
)
ELSEWHERE = (
    "",
    ":5000",
    "quay.io",
    "quay.io:443",
    "10.0.0.1:5000",
    "0.0.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "localhost.evil.com",
    "localhost.evil.com:5000",
    "127.0.0.1.evil.com",
    "127.0.0.1.nip.io:5000",
    "evil.com:127.0.0.1",
    "localhost:5000@evil.com",
    "localhost:x",
    "evil.com/127.0.0.1",
    "2130706433",
    "0x7f000001",
    "127.1",
    "0127.0.0.1",
    "[::2]:5000",
    "[::1",
    "[::1]evil.com",
    "::1]:5000",
    "127.0.0.1:5000:5000",
    "127.0.0.1\n",
)


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_no_other_host_passes_for_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_of_ipv4_only_127_is_loopback(address: IPv4Address, port: int) -> None:
    expected = address.packed[0] == 127
    assert is_loopback(str(address)) == is_loopback(f"{address}:{port}") == expected


@given(st.ip_addresses(v=6), st.integers(0, 65535))
def test_of_ipv6_only_one_is_loopback(address: IPv6Address, port: int) -> None:
    expected = int(address) == 1
    assert is_loopback(str(address)) == is_loopback(f"[{address}]:{port}") == expected


@given(st.sampled_from(LOOPBACK[:4]), st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True))
def test_a_name_that_begins_like_loopback_is_not(host: str, rest: str) -> None:
    assert not is_loopback(f"{host.partition(':')[0]}.{rest}")


def test_cas_are_the_users_and_the_clusters_where_they_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv(trust.CA_VARIABLE, str(tmp_path / "mine.crt"))
    with pytest.raises(UsageError, match=r"mine\.crt: there is no such file; name a file of cert"):
        trust.ca_files()
    for name in ("mine.crt", "service-ca.crt"):
        (tmp_path / name).touch()
    assert trust.ca_files() == (tmp_path / "mine.crt", tmp_path / "service-ca.crt")
    monkeypatch.delenv(trust.CA_VARIABLE)
    assert trust.ca_files() == (tmp_path / "service-ca.crt",)


def test_a_folder_stands_for_its_certificates_that_hold_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "SERVICE_ACCOUNT", tmp_path / "none")
    monkeypatch.setenv(trust.CA_VARIABLE, str(tmp_path))
    assert trust.ca_files() == ()
    (tmp_path / "ca-bundle.crt").write_text("-----BEGIN CERTIFICATE-----")
    (tmp_path / "odh-ca-bundle.crt").write_text("\n")
    (tmp_path / "notes").write_text("no certificate")
    assert trust.ca_files() == (tmp_path / "ca-bundle.crt",)


def test_the_token_is_read_anew_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "SERVICE_ACCOUNT", tmp_path)
    assert trust.service_account_token() == ""
    for token in ("C4naryBird-1", "C4naryBird-2"):
        (tmp_path / "token").write_text(f"{token}\n")
        assert trust.service_account_token() == token
