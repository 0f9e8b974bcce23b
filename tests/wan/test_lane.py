"""A lane leaves nothing behind, whichever way its owner ends, and says so when it cannot be what it promises."""

import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import lane as lane_module
from lane import Lane, LaneError, LinkSpec

HERE = pathlib.Path(__file__).parent
OWNER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from lane import Lane, LinkSpec
with Lane(LinkSpec(10, 10), int(sys.argv[2])) as lane:
    print(lane.popen_client(["sleep", "1000"]).pid, flush=True)
    time.sleep(1000)
"""


def remains(lane):
    spaces = {path.name for path in pathlib.Path("/run/netns").glob("*")} & {lane.client_ns, lane.server_ns}
    return spaces, f"lane {lane.index}\n" in pathlib.Path("/etc/hosts").read_text()


def running(pid):
    return pathlib.Path(f"/proc/{pid}").exists() and not lane_module._is_zombie(pid)


def wait_until(condition, what, patience=30):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience} s for {what}"
        time.sleep(0.05)


@pytest.fixture
def lane(open_lane):
    return open_lane(10, 10)


@pytest.fixture
def owner(lane):
    """Another process with a lane of the same index as `lane`, which is closed."""
    lane.close()
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(HERE), str(lane.index)], stdout=subprocess.PIPE, text=True)
    process.child = int(process.stdout.readline())
    yield process
    process.kill()
    process.communicate()


def test_closing_ends_what_runs_in_the_namespaces(lane):
    assert remains(lane) == ({lane.client_ns, lane.server_ns}, True)
    children = [lane.popen_client(["sleep", "1000"]), lane.popen_server(["sh", "-c", "trap '' TERM; sleep 1000 & wait; wait"])]
    lane.close()
    assert [child.wait(10) for child in children]
    assert remains(lane) == (set(), False)
    lane.close()


def test_sigterm_removes_the_lane(lane, owner):
    owner.send_signal(signal.SIGTERM)
    assert owner.wait(20) == 128 + signal.SIGTERM
    assert remains(lane) == (set(), False)
    assert not running(owner.child)


def test_leftovers_of_a_killed_owner_are_removed_at_the_next_start(lane, owner):
    links = {pid for pid in pathlib.Path("/proc").glob("[0-9]*") if f"/lane-{lane.index}.sock" in _command_line(pid)}
    assert len(links) == 1
    owner.kill()
    owner.wait()
    assert remains(lane)[0] and running(owner.child)
    wait_until(lambda: not any(running(pid.name) for pid in links), "the link to end with its owner")
    with Lane(LinkSpec(10, 10), lane.index) as again:
        assert not running(owner.child)
        assert again.run_client(["ping", "-c", "1", "-W", "5", again.server_ip], stdout=subprocess.DEVNULL).returncode == 0
    assert remains(lane) == (set(), False)


def _command_line(process):
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""


def test_an_index_has_one_owner(lane):
    with pytest.raises(LaneError, match="in use"):
        Lane(LinkSpec(10, 10), lane.index).__enter__()
    assert lane.stats()["up_packets"] == 0


def test_another_congestion_control_is_not_taken_silently(lane, tmp_path, monkeypatch):
    lane.close()
    if "cubic" in lane_module.ALLOWED.read_text().split():
        pytest.skip("this machine allows cubic to everyone")
    elsewhere = tmp_path / "allowed"
    elsewhere.write_text("reno\n")
    monkeypatch.setattr(lane_module, "ALLOWED", elsewhere)
    with pytest.raises(LaneError, match="instead of cubic"):
        lane.__enter__()
    assert remains(lane) == (set(), False)


def test_what_tcp_works_with_is_recorded(open_lane):
    lane = open_lane(10, 10, wmem_max_kb=16384)
    assert lane.sysctls["server"]["tcp_wmem"].split()[2] == str(16 << 20)
    assert {end["tcp_congestion_control"] for end in lane.sysctls.values()} == {"cubic"}
    assert {end["tcp_no_metrics_save"] for end in lane.sysctls.values()} == {"1"}


def test_wrong_settings_are_named_and_change_nothing(lane):
    with pytest.raises(LaneError, match="loss_pct"):
        lane.set(LinkSpec(20, 20, loss_pct=101))
    assert lane.stats()["down_queue_limit_bytes"] == 76900


def test_the_command_line_runs_a_command(lane):
    lane.close()
    done = subprocess.run([HERE / "lane.py", "--rate", "10", "--rtt", "20", "--index", str(lane.index), "--", "sh", "-c",
                           "ping -c 1 $WAN_SERVER_NAME; exit 7"], capture_output=True, text=True)
    assert done.returncode == 7 and "1 received" in done.stdout
    assert json.loads(done.stderr)["up_packets"] == 1
