"""How many jobs a backend was found to take."""

from __future__ import annotations

from datetime import timedelta

from hopper.dispatch.learned import HOLDS, LearnedLimits
from tests.unit.dispatch.situations import NOW

SOON = timedelta(seconds=1)


def test_what_it_had_when_it_refused_is_its_limit_until_more_is_tried() -> None:
    learned = LearnedLimits()
    assert learned.limits(NOW) == {}
    learned.refused("cl", 50, NOW)
    assert learned.limits(NOW + HOLDS - SOON) == {"cl": 50}
    assert learned.limits(NOW + HOLDS) == {"cl": 55}
    assert learned.limits(NOW + HOLDS + SOON) == {"cl": 55}
    learned.refused("cl", 52, NOW + HOLDS + SOON)
    assert learned.limits(NOW + HOLDS + 2 * SOON) == {"cl": 52}


def test_one_that_had_none_is_tried_with_one() -> None:
    learned = LearnedLimits()
    learned.refused("cl", 0, NOW)
    assert learned.limits(NOW) == {"cl": 0}
    assert learned.limits(NOW + HOLDS) == {"cl": 1}
