"""How long a pull is expected to take: for the schedule, the timeouts and the plan; never for a result."""

import heapq
import math

from .cells import wire_limit_seconds

MSS_BITS = 1448 * 8
INITIAL_WINDOW = 10  # segments, RFC 6928
UNPACK_BYTES_PER_SECOND = 60e6  # gunzip, untar and sync on one core, seen on the machine that ran the study first


def stream_mbps(cell):
    """One connection's ceiling: the link's, the cap's, or random loss's (Mathis et al. 1997; CUBIC above it on long paths)."""
    limit = cell.rate * 1448 / 1538
    if cell.cap:
        limit = min(limit, cell.cap * 1448 / 1538)
    if cell.loss_pct:
        loss, rtt = cell.loss_pct / 100, cell.rtt_ms / 1e3
        reno = math.sqrt(1.5 / loss)
        cubic = 1.054 * (rtt / loss) ** 0.75  # RFC 9438, C = 0.4, beta = 0.7
        limit = min(limit, max(reno, cubic) * MSS_BITS / rtt / 1e6)
    return limit


def _slow_start_seconds(cell, streams):
    """Round trips until `streams` connections together have grown to the link, or to their own limits."""
    rtt = cell.rtt_ms / 1e3
    goal = min(cell.rate, streams * stream_mbps(cell))
    start = streams * INITIAL_WINDOW * MSS_BITS / rtt / 1e6
    return rtt * max(0.0, math.log2(goal / start)) if start > 0 else 0.0


def _layers_over_streams(layers, streams, seconds_each):
    """Longest end of layers that are handed out in order to `streams` connections."""
    ends = [0.0] * min(streams, len(layers))
    for size in layers:
        heapq.heapreplace(ends, ends[0] + seconds_each(size))
    return max(ends)


def seconds(cell, streams, ranged, unpacks=False):
    """`ranged`: the streams share layers; otherwise a layer is one stream's."""
    rate = stream_mbps(cell)
    used = streams if ranged else min(streams, len(cell.layers))
    share = min(rate, cell.rate * 1448 / 1538 / used)
    if ranged:
        body = cell.bytes * 8e-6 / (share * used)
    else:
        alone = max(cell.layers) * 8e-6 / rate
        turns = 2 * cell.rtt_ms / 1e3  # A request and, early on, a slow start for each layer.
        body = max(alone, _layers_over_streams(cell.layers, streams, lambda size: size * 8e-6 / share + turns))
    body = max(body, wire_limit_seconds(cell.bytes, cell.rate, cell.rtt_ms))
    handshakes = 8 * cell.rtt_ms / 1e3
    total = 0.3 + handshakes + _slow_start_seconds(cell, used) + body
    return total + (0.5 + cell.bytes / UNPACK_BYTES_PER_SECOND if unpacks else 0.0)


def cores(cell, predicted_seconds, unpacks=False):
    """The share of the machine a pull takes, link emulator and both ends included.

    A packet costs what its wake-ups cost, so a slow link is dearer a byte: measured on two cores of a virtual machine were 88 µs
    a packet at 10 Mbps, 42 µs at 200 Mbps, about 20 µs at 1 Gbps.
    """
    packets = cell.bytes * 8 / MSS_BITS
    rate = packets / predicted_seconds
    seconds_each = (13 + 83 / (1 + rate / 7500)) * 1e-6
    unpacking = 1.2 * cell.bytes / UNPACK_BYTES_PER_SECOND if unpacks else 0.0
    return (packets * seconds_each + unpacking) / predicted_seconds
