from __future__ import annotations

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import UsageError
from hopper.web.security.hosts import (
    Authority,
    HostRule,
    check_binding,
    is_loopback,
    parse_authority,
)
from hopper.web.security.origins import same_site
from tests.unit.web.security.site import ANY_ADDRESS

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PORTS = st.integers(1, 65_535)
HOSTISH = st.text(
    alphabet=string.ascii_letters + string.digits + ".:[]@%/\\#? \t\0_-é。", max_size=40
)


@given(st.one_of(HOSTISH, st.text(max_size=40)))
def test_whatever_a_header_holds_is_read_or_refused(text: str) -> None:
    found = parse_authority(text)
    if found is not None:
        assert text.isascii()
        assert not set(text) & set("@%/\\#? \t\0")
        assert found.host == found.host.lower()
        assert parse_authority(f"[{found.host}]" if ":" in found.host else found.host) is not None


@given(NAMES, PORTS)
def test_a_name_is_read_in_any_case_with_or_without_its_dot(name: str, port: int) -> None:
    for text in (name, name.upper(), f"{name}."):
        assert parse_authority(text) == parse_authority(name)
        found = parse_authority(f"{text}:{port}")
        assert found is not None
        assert found.port == port


@given(st.ip_addresses(), PORTS)
def test_addresses_have_one_form(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    if isinstance(ip, ipaddress.IPv4Address):
        assert parse_authority(f"{ip}:{port}") == Authority(host=str(ip), port=port)
        mapped = parse_authority(f"[::ffff:{ip}]")
        assert mapped == Authority(host=str(ip))
        return
    plain = str(ip.ipv4_mapped or ip)
    assert parse_authority(f"[{ip.exploded.upper()}]:{port}") == Authority(host=plain, port=port)
    assert parse_authority(str(ip)) is None
    assert parse_authority(f"[{ip}%eth0]") is None


@given(NAMES, HOSTISH)
def test_only_names_that_are_listed_are_taken(name: str, other: str) -> None:
    rule = HostRule("127.0.0.1", ["good.example", "*.wild.example"])
    for text in (
        name,
        other,
        f"{name}.good.example",
        f"xwild.example.{name}",
        f"{name}good.example",
    ):
        found = parse_authority(text)
        if found is not None and rule.takes(found):
            listed = found.host in ("localhost", "good.example") or found.host.endswith(
                ".wild.example"
            )
            assert listed or is_loopback(found.host)
    inside = parse_authority(f"{name}.wild.example")
    assert inside is not None
    assert rule.takes(inside)


def test_the_bound_name_or_address_is_taken() -> None:
    for bound in ("gpu1", "10.1.2.3", "fe80::1"):
        authority = parse_authority(f"[{bound}]:80" if ":" in bound else f"{bound}:80")
        assert authority is not None
        assert HostRule(bound).takes(authority)
        assert not HostRule("127.0.0.1").takes(authority)


@pytest.mark.parametrize("wrong", ["*", "", "a b", "http://x", "*.*.org", "jobs.example.org/x"])
def test_an_allowed_host_that_is_none_is_told(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"web\.allowed_hosts"):
        HostRule("127.0.0.1", [wrong])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_loopback_needs_nobody(host: str) -> None:
    check_binding(host=host, allowed_hosts=["localhost"], anybody=False)


@pytest.mark.parametrize(
    "host", [ANY_ADDRESS, "::", "10.0.0.1", "gpu1", "", "localhost.example", "127.0.0.1.example"]
)
def test_other_addresses_need_somebody(host: str) -> None:
    with pytest.raises(UsageError, match="hopper web token create"):
        check_binding(host=host, allowed_hosts=[], anybody=False)
    check_binding(host=host, allowed_hosts=[], anybody=True)


# --- origins


def judged(host: str, origin: str | None, site: str | None = None, *, secure: bool = False) -> bool:
    authority = parse_authority(host)
    assert authority is not None
    return same_site(host=authority, secure=secure, origin=origin, fetch_site=site)


@given(NAMES, st.one_of(st.none(), PORTS), st.sampled_from(["http", "https"]))
def test_a_page_of_ours_is_known_by_its_origin(name: str, port: int | None, scheme: str) -> None:
    if parse_authority(name) is None:
        return
    host = name if port is None else f"{name}:{port}"
    assert judged(host, f"{scheme}://{host}")
    assert judged(host, f"{scheme}://{host}", "same-origin")
    for site in ("cross-site", "same-site", "none", "", "Same-Origin"):
        assert not judged(host, f"{scheme}://{host}", site)
    assert not judged(host, f"{scheme}://x{host}")
    assert not judged(host, f"{scheme}://{name}:{(port or 80) % 65_535 + 1}")


@given(st.one_of(HOSTISH, st.text(max_size=40)))
def test_whatever_an_origin_holds_is_not_ours(text: str) -> None:
    for origin in (text, f"http://{text}", f"https://gpu1{text}", f"http://gpu1@{text}"):
        if judged("gpu1", origin):
            rest = origin.lower().partition("://")[2]
            assert rest.removesuffix(":80").removesuffix(":443").removesuffix(".") == "gpu1"


def test_programs_send_neither() -> None:
    assert judged("gpu1", None)
    assert judged("gpu1", None, "same-origin")
    assert not judged("gpu1", "null")
    assert not judged("gpu1", "http://gpu1", secure=True)
    assert judged("gpu1:443", "https://gpu1", secure=True)
