from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.config.pricing import Pricing
from hopper.pricing import Estimate, Instance, Work, estimate, fetch, load_prices, read_prices

SAMPLE = (Path(__file__).parents[1] / "data/pricing/instances.json").read_bytes()
NOW = datetime(2026, 2, 19, tzinfo=UTC)


def pricing(**more: Any) -> Pricing:
    partitions = {"standard": "c5.xlarge", "gpu": "p3.2xlarge", "odd": "odd.none", "new": "x9"}
    return Pricing.model_validate({"partitions": partitions, **more})


class Web:
    """Counts how often it is asked, and may be down."""

    def __init__(self, content: bytes = SAMPLE) -> None:
        self.content: bytes | None = content
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if self.content is None:
            raise OSError("down")
        return self.content


def cost(settings: Pricing, *work: Work) -> Estimate:
    found = estimate(settings, read_prices(SAMPLE, settings.region), work)
    assert found is not None
    return found


def test_the_formula() -> None:
    found = cost(pricing(), Work(partition="standard", cpus=2, elapsed_seconds=7200))
    assert found.total == pytest.approx(2 * (2 / 4) * 0.17)
    assert (found.costed, found.uncosted) == (1, 0)
    assert (found.region, found.price_type) == ("us-east-1", "ondemand")


@pytest.mark.parametrize(
    ("kind", "price"),
    [("ondemand", 0.17), ("spot_avg", 0.0702), ("spot_min", 0.0611), ("spot_max", 0.0799)],
)
def test_price_types(kind: str, price: float) -> None:
    work = Work(partition="standard", cpus=4, elapsed_seconds=3600)
    assert cost(pricing(price_type=kind), work).total == pytest.approx(price)


def test_what_has_no_price_or_time_is_counted() -> None:
    found = cost(
        pricing(price_type="spot_min"),
        Work(partition="standard", cpus=4, elapsed_seconds=3600),
        Work(partition="standard", cpus=4, elapsed_seconds=None),
        Work(partition="gpu", cpus=1, elapsed_seconds=1),
        Work(partition="odd", cpus=1, elapsed_seconds=1),
        Work(partition="new", cpus=1, elapsed_seconds=1),
        Work(partition="unmapped", cpus=1, elapsed_seconds=1),
        Work(partition="", cpus=1, elapsed_seconds=1),
    )
    assert (found.costed, found.uncosted) == (1, 6)


def test_without_data_there_is_no_estimate() -> None:
    work = [Work(partition="standard", cpus=1, elapsed_seconds=1)]
    assert estimate(None, {}, work) is None
    assert estimate(pricing(), None, work) is None


def test_prices_are_fetched_once_a_day(tmp_path: Path) -> None:
    web, settings = Web(), pricing(url="https://x.org/p.json")
    first = load_prices(settings, tmp_path / "db", now=NOW, fetch=web)
    assert first is not None
    assert first["c5.xlarge"].vcpus == 4
    later = NOW + timedelta(hours=23)
    assert load_prices(settings, tmp_path / "db", now=later, fetch=web) == first
    assert web.asked == ["https://x.org/p.json"]
    load_prices(settings, tmp_path / "db", now=NOW + timedelta(hours=25), fetch=web)
    assert len(web.asked) == 2
    assert [path.name for path in (tmp_path / "db").iterdir()] == ["prices.json"]


def test_another_region_or_address_is_fetched_anew(tmp_path: Path) -> None:
    web = Web()
    load_prices(pricing(), tmp_path, now=NOW, fetch=web)
    assert load_prices(pricing(region="mars-1"), tmp_path, now=NOW, fetch=web) is None
    load_prices(pricing(url="https://x.org/"), tmp_path, now=NOW, fetch=web)
    assert len(web.asked) == 3


def test_a_web_that_is_down_is_left_alone_for_an_hour(tmp_path: Path) -> None:
    web, settings = Web(), pricing()
    web.content = None
    for minutes in (0, 10, 50):
        assert (
            load_prices(settings, tmp_path, now=NOW + timedelta(minutes=minutes), fetch=web) is None
        )
    assert len(web.asked) == 1
    web.content = SAMPLE
    assert load_prices(settings, tmp_path, now=NOW + timedelta(minutes=70), fetch=web)


def test_older_prices_count_while_there_are_no_new_ones(tmp_path: Path) -> None:
    web, settings = Web(), pricing()
    first = load_prices(settings, tmp_path, now=NOW, fetch=web)
    web.content = b"<html>"
    assert load_prices(settings, tmp_path, now=NOW + timedelta(days=3), fetch=web) == first
    assert load_prices(settings, tmp_path, now=NOW + timedelta(days=3), fetch=None) == first
    assert len(web.asked) == 2


def test_without_a_fetch_nothing_is_asked_or_kept(tmp_path: Path) -> None:
    assert load_prices(pricing(), tmp_path, now=NOW, fetch=None) is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_read_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    settings, web = pricing(file=str(file)), Web()
    assert load_prices(settings, tmp_path, now=NOW, fetch=web) is None
    file.write_bytes(SAMPLE)
    assert load_prices(settings, tmp_path, now=NOW, fetch=web)
    file.write_bytes(SAMPLE.replace(b'"0.17"', b'"0.1800"'))
    found = load_prices(settings, tmp_path, now=NOW, fetch=None)
    assert found is not None
    assert found["c5.xlarge"].prices["ondemand"] == 0.18
    assert web.asked == []


@pytest.mark.parametrize(
    "odd", ["", "{}", "[]", '{"format": 1}', "\0", '{"format": 1, "source": 2}']
)
def test_a_broken_file_of_ours_is_as_none(tmp_path: Path, odd: str) -> None:
    (tmp_path / "prices.json").write_text(odd)
    assert load_prices(pricing(), tmp_path, now=NOW, fetch=Web())


def test_a_folder_that_cannot_be_written_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("a file")
    assert load_prices(pricing(), tmp_path / "db", now=NOW, fetch=Web())


def test_what_is_odd_is_left_out() -> None:
    good = {"instance_type": "a", "vCPU": 2, "pricing": {"r": {"linux": {"ondemand": 1}}}}
    odd: list[Any] = [
        None,
        {},
        {**good, "instance_type": 3},
        {**good, "vCPU": "many"},
        {**good, "vCPU": 0},
        {**good, "pricing": []},
        {**good, "pricing": {"r": {"linux": {"ondemand": "NaN"}}}},
        {**good, "pricing": {"r": {"linux": {"ondemand": -1}}}},
        {**good, "pricing": {"r": {"linux": {"ondemand": True}}}},
        {**good, "instance_type": "b"},
    ]
    found = read_prices(json.dumps(odd).encode(), "r")
    assert found == {"b": Instance(vcpus=2, prices={"ondemand": 1.0})}
    with pytest.raises(ValueError, match="a list"):
        read_prices(b"{}", "r")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["instance_type", "vCPU", "pricing", "r", "linux", "ondemand"]), inner
        )
    ),
    max_leaves=15,
)


@given(st.lists(JSON, max_size=4))
def test_whatever_is_in_the_list_is_read(items: list[object]) -> None:
    for instance in read_prices(json.dumps(items).encode(), "r").values():
        assert instance.vcpus >= 1


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/p.json" else 404)
        self.end_headers()
        self.wfile.write(SAMPLE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_web_is_asked_over_http(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    assert fetch(f"{site}/p.json") == SAMPLE
    with pytest.raises(OSError, match="404"):
        fetch(f"{site}/none")
    assert load_prices(pricing(url=f"{site}/p.json"), tmp_path, now=NOW)
