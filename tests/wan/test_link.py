"""Is the emulated link what it claims to be? Seen from its two ends, with the kernel's TCP, ping and plain datagrams.

Figures are medians or means over seconds, with the tolerance the link promises (docs/wan.md), so that a busy machine does not decide.
"""

import contextlib
import hashlib
import statistics
import subprocess
import time

import pytest

from lane import LinkSpec
from traffic import measure, receiver, sender

PAYLOAD = 1448 / 1538  # of the wire, with TCP timestamps and Ethernet framing


def ping_ms(lane, count=20, interval=0.05):
    out = lane.run_client(["ping", "-n", "-c", count, "-i", interval, "-W", 2, lane.server_ip], capture_output=True, text=True).stdout
    times = [float(line.partition("time=")[2].split()[0]) for line in out.splitlines() if "time=" in line]
    assert times, f"no answer to ping: {out}"
    return statistics.median(times)


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def datagrams(lane, count, to_client=True):
    """How many of so many datagrams of 1000 bytes come through."""
    program = """
import json, socket, sys
here, there, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((here, 9001))
"""
    send = program + """
sys.stdin.read()
for i in range(count):
    s.sendto(bytes(1000), (there, 9001))
"""
    receive = program + """
s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
s.settimeout(30)
print("listening", flush=True)
seen = 0
try:
    while seen < count:
        s.recv(2000)
        s.settimeout(2)
        seen += 1
except TimeoutError:
    pass
print(seen)
"""
    start_receiver, start_sender = lane.popen_client, lane.popen_server
    here, there = lane.client_ip, lane.server_ip
    if not to_client:
        start_receiver, start_sender, here, there = start_sender, start_receiver, there, here
    python = ["/usr/bin/python3", "-c"]
    with start_receiver([*python, receive, here, there, count], stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline() == "listening\n"
        with start_sender([*python, send, there, here, count], stdin=subprocess.PIPE) as writer:
            writer.stdin.close()
        return int(reader.stdout.readline())


def test_round_trip_time_is_within_a_millisecond(open_lane):
    lane = open_lane(100, 2)
    for rtt in (2, 35, 150):
        lane.set(LinkSpec(100, rtt))
        assert ping_ms(lane) == pytest.approx(rtt, abs=1)


@pytest.mark.parametrize("rate, seconds", [(10, 10), (100, 5)])
def test_goodput_of_ten_flows_is_within_two_percent(open_lane, rate, seconds):
    lane = open_lane(rate, 35)
    assert sum(measure(lane, 10, 2, seconds)) == pytest.approx(rate * PAYLOAD, rel=0.02)
    assert lane.stats()["tun_drops"] == 0


def test_lanes_do_not_influence_each_other(open_lane):
    slow, fast, idle = open_lane(10, 20), open_lane(60, 50), open_lane(100, 35)
    with contextlib.ExitStack() as stack:
        results = []
        for lane in (slow, fast):
            stack.enter_context(sender(lane))
            results.append(stack.enter_context(receiver(lane, 10, 2, 8)))
        assert ping_ms(idle) == pytest.approx(35, abs=1)
        rates = [8e-6 * sum(measured["bytes"]) / measured["seconds"] for measured in (result() for result in results)]
    assert rates == pytest.approx([10 * PAYLOAD, 60 * PAYLOAD], rel=0.02)
    assert idle.stats()["connections_total"] == 0


def test_loss_is_as_set_and_the_same_for_the_same_seed(open_lane):
    count = 6000
    lanes = [open_lane(200, 2, loss_pct=2, queue_kb=100_000) for _ in range(2)]
    lost = [count - datagrams(lane, count) for lane in lanes]
    assert lost[0] == pytest.approx(0.02 * count, rel=0.3)  # three standard deviations
    assert lost[0] == lost[1] == lanes[0].stats()["down_loss_drops"]
    assert datagrams(lanes[0], count, to_client=False) == count


@pytest.mark.parametrize("flows", [1, 4])
def test_each_connection_gets_its_cap_and_loses_nothing(open_lane, flows):
    lane = open_lane(100, 20, cap_mbps=5)
    assert measure(lane, flows, warmup=1, seconds=4) == pytest.approx([5 * PAYLOAD] * flows, rel=0.02)
    stats = lane.stats()
    assert stats["down_queue_drops"] == 0
    # No queue builds up behind the cap that a paced server would not have: 8 segments, in flight to and fro.
    assert stats["pacer_bytes"] <= flows * 20 * 1538


def test_a_full_queue_delays_by_its_size_and_drops_the_rest(open_lane):
    for queue_kb, most_ms in ((25, 10), (250, 100)):
        lane = open_lane(20, 20, queue_kb=queue_kb)
        with sender(lane), receiver(lane, 4, 0, 60):
            wait_until(lambda: lane.stats()["down_queue_drops"] > 0)
            loaded = ping_ms(lane, 40)
        stats = lane.stats()
        assert stats["down_queue_peak_bytes"] <= stats["down_queue_limit_bytes"] == queue_kb * 1000
        assert 20 + 0.3 * most_ms < loaded < 20 + most_ms + 2


def test_connections_use_cubic(open_lane):
    lane = open_lane(100, 2)
    with sender(lane), receiver(lane, 2, 0, 60):
        wait_until(lambda: lane.stats()["connections"] == 2)
        for enter in (lane.enter_client, lane.enter_server):
            shown = subprocess.run([*enter, "ss", "-tinH", "state", "established"], capture_output=True, text=True, check=True).stdout
            assert shown.count(" cubic ") == shown.count(" rtt:") == 2



def test_connections_are_counted(open_lane):
    lane = open_lane(100, 2)
    with sender(lane):
        for flows in (3, 2):
            with receiver(lane, flows, 0, 0.5) as result:
                result()
            wait_until(lambda: lane.stats()["connections"] == 0)
    stats = lane.stats()
    assert (stats["connections_max"], stats["connections_total"]) == (3, 5)
    lane.reset_stats()
    assert (lane.stats()["down_packets"], lane.stats()["connections_max"]) == (0, 0)


def test_bytes_arrive_as_they_were_sent(open_lane, tmp_path):
    """The link cuts super-packets at every loss, and the kernel does not check sums that were never computed."""
    lane = open_lane(200, 5, loss_pct=1, loss_up_pct=1, queue_kb=60)
    content = hashlib.shake_256(b"wan").digest(8 << 20)
    (tmp_path / "file").write_bytes(content)
    lane.popen_server(["/usr/bin/python3", "-m", "http.server", "--directory", tmp_path, "8000"], stderr=subprocess.DEVNULL)
    fetched = lane.run_client(["curl", "-sS", "--retry", "20", "--retry-delay", "1", "--retry-connrefused", "--max-time", "60",
                               f"http://{lane.server_name}:8000/file"], capture_output=True, check=True).stdout
    assert hashlib.sha256(fetched).digest() == hashlib.sha256(content).digest()
    stats = lane.stats()
    assert stats["down_loss_drops"] > 0 and stats["unknown_packets"] == stats["write_failures"] == 0


def test_the_link_changes_while_it_carries_traffic(open_lane):
    lane = open_lane(5, 40)
    with sender(lane), receiver(lane, 2, 0, 60):
        wait_until(lambda: lane.stats()["down_queue_bytes"] > 20_000)
        lane.set(LinkSpec(50, 10))
        lane.reset_stats()
        wait_until(lambda: lane.stats()["seconds"] > 3)
        stats = lane.stats()
    assert 8e-6 * stats["down_bytes"] / stats["seconds"] == pytest.approx(50 * 1500 / 1538, rel=0.1)
    assert ping_ms(lane) == pytest.approx(10, abs=1)
