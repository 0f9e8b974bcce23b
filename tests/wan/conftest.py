"""Lanes for tests: any number at once, on indices that nobody uses."""

import contextlib
import os

import pytest

from lane import MOST_LANES, Lane, LaneError, LinkSpec


@pytest.fixture
def open_lane():
    """open_lane(rate_mbps, rtt_ms, ...): an open lane, closed at the end of the test. From the highest index downwards, as people
    and studies begin with the lowest."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with contextlib.ExitStack() as lanes:
        def open_one(*spec, **keys):
            for index in reversed(range(MOST_LANES)):
                lane = Lane(LinkSpec(*spec, **keys), index)
                try:
                    return lanes.enter_context(lane)
                except LaneError as error:
                    if "in use" not in str(error):
                        raise
            raise LaneError("every lane is in use")
        yield open_one
