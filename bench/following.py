"""What the pages' look at the state costs: `python bench/following.py [--json] [--folder LAB]`.

20 runs of 1,000 tasks and 100,000 jobs in the history (bench/web_state.py makes them).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import web_state
from hopper.dispatch.changes import Changes
from hopper.store.state import StateStore
from hopper.web.following.listing import JobFilter
from hopper.web.following.state import Following

Figures = dict[str, float]
ROUNDS = 9


def resident() -> float:
    """Return the resident memory of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def peak() -> float:
    """Return the most that it has been, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def median_ms(act: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median of some rounds, in ms."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1000


def pages(following: Following) -> Figures:
    """Return what pages of the live jobs cost."""
    index, figures = following.index, Figures()
    for name, wanted in (
        ("all", JobFilter()),
        ("failed", JobFilter(states=frozenset({"failed"}))),
        ("of a user", JobFilter(user="carol")),
        ("by text", JobFilter(text="fit.7")),
        ("by text, none", JobFilter(text="no such text")),
    ):
        for sort in ("submitted", "cpu_hours"):
            figures[f"page of jobs: {name}, by {sort} ms"] = median_ms(
                lambda w=wanted, s=sort: index.page(w, sort=s)  # type: ignore[misc]
            )
    following.tallies.clear()
    figures["all runs counted ms"] = median_ms(following.tallies.clear) + median_ms(
        following.run_tallies, 1
    )
    figures["all runs, counted before ms"] = median_ms(following.run_tallies)
    run = next(iter(following.store.runs))
    figures["1,000 jobs of a run, decoded ms"] = median_ms(lambda: list(following.jobs_of(run)), 1)
    return figures


def looks(following: Following, folder: Path) -> Figures:
    """Return what a look costs at a state that has changed."""
    figures = {"a look, nothing new ms": median_ms(following.look)}
    with StateStore.open(folder) as writer:
        jobs = list(writer.jobs.values())[:1_000]
        for count in (1, 100, 1_000):
            took = []
            for number in range(5):
                reason = f"changed {number}"
                changed = tuple(replace(job, reason=reason) for job in jobs[:count])
                writer.commit(Changes(jobs=changed))
                took.append(median_ms(following.look, 1))
            figures[f"a look, {count} jobs changed ms"] = statistics.median(took)
    return figures


async def watched(following: Following, folder: Path, watchers: int) -> Figures:
    """Return what it costs to tell 200 watchers of a change."""
    following.hub.render = lambda _, ids: "".join(f"<tr id='job-{one}'></tr>" for one in ids)
    told = 0

    async def take() -> None:
        nonlocal told
        async for message in following.watch("jobs", "").messages():
            told += b"event: changed" in message

    tasks = [asyncio.create_task(take()) for _ in range(watchers)]
    await asyncio.sleep(0.2)
    with StateStore.open(folder) as writer:
        following.look()
        job = next(iter(writer.jobs.values()))
        writer.commit(Changes(jobs=(replace(job, reason="watched"),)))
        start = time.perf_counter()
        busy = time.process_time()
        following.look()
    while told < watchers and time.perf_counter() - start < 10:
        await asyncio.sleep(0.005)
    figures = {
        f"{watchers} watchers told after ms": (time.perf_counter() - start) * 1000,
        f"{watchers} watchers told, CPU ms": (time.process_time() - busy) * 1000,
    }
    following.hub.close()
    await asyncio.gather(*tasks)
    return figures


async def of_history(following: Following) -> Figures:
    """Return what the history costs."""
    figures = Figures()

    async def timed(name: str, wanted: JobFilter, **more: object) -> None:
        start = time.perf_counter()
        await following.page(wanted, **more)  # type: ignore[arg-type]
        figures[f"page with history: {name} ms"] = (time.perf_counter() - start) * 1000

    start = time.perf_counter()
    busy = time.process_time()
    await following.count_usage()
    figures["history indexed first s"] = time.perf_counter() - start
    figures["history indexed first, CPU s"] = time.process_time() - busy
    start = time.perf_counter()
    await following.count_usage()
    figures["CPU hours counted again ms"] = (time.perf_counter() - start) * 1000
    old = JobFilter(history=True)
    await timed("all", old)
    await timed("all, again", old)
    await timed("all, by name", old, sort="name")
    await timed("all, offset 100,000", old, offset=100_000)
    await timed("by text", replace(old, text="tra 777"))
    await timed("completed", replace(old, states=frozenset({"completed"})))
    return figures


def measure(folder: Path) -> Figures:
    """Return all figures."""
    figures: Figures = {"memory of the imports MB": resident()}
    start = time.perf_counter()
    following = Following(folder)
    figures["opened after s"] = time.perf_counter() - start
    gc.collect()
    figures["memory after opening MB"] = resident()
    figures["most memory while opening MB"] = peak()
    figures |= pages(following)
    figures |= asyncio.run(of_history(following))
    gc.collect()
    figures["memory at the end MB"] = resident()
    figures["most memory MB"] = peak()
    # From here on the writer's memory is in this process as well.
    figures |= looks(following, folder)
    figures |= asyncio.run(watched(following, folder, 200))
    figures["live jobs"] = len(following.index)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hopb") as temporary:
        folder = given.folder or Path(temporary) / "state"
        if given.folder is None:
            web_state.make_state(folder)
        figures = measure(folder / "db")
    if given.json:
        print(json.dumps({"at": str(datetime.now(UTC)), **figures}, indent=1))
        return
    lines: Iterable[str] = (f"{name:52} {value:10.2f}" for name, value in figures.items())
    print("\n".join(lines))


if __name__ == "__main__":
    main()
