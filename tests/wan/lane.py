#!/usr/bin/python3
"""A wide-area link on one machine: two network namespaces, and between them the emulator `wan-link` (tests/wan/link).

    from lane import Lane, LinkSpec
    with Lane(LinkSpec(rate_mbps=100, rtt_ms=40, loss_pct=0.1)) as lane:
        server = lane.popen_server(["docker-registry", "serve", "config.yml"])     # listens on lane.server_ip
        lane.run_client(["curl", f"http://{lane.server_ip}:5000/v2/"], check=True)
        print(lane.stats()["down_queue_drops"])

Several lanes exist side by side, told apart by their index. What emulates what is in docs/wan.md.

A command runs in its namespace only as far as the network goes; mounts, files and processes are the machine's (`ip netns
exec` would hide /sys/fs/cgroup, which containers need, and containerd's mounts from everyone else).

A lane ends with everything in its namespaces: at the end of the `with`, at SIGTERM and KeyboardInterrupt. Should the process be
killed outright, the link goes down with it, and the next lane of that index removes the rest.
"""

import argparse
import atexit
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUN = pathlib.Path("/run/paceline-wan")
HOSTS = pathlib.Path("/etc/hosts")
DEVICE = "wan0"
ALLOWED = pathlib.Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
MOST_LANES = 256


class LaneError(RuntimeError):
    """The lane cannot be what it promises."""


@dataclasses.dataclass(frozen=True)
class LinkSpec:
    rate_mbps: float        # of the wire, both ways, Ethernet framing included: goodput is 1448/1538 of it
    rtt_ms: float           # half of it each way
    loss_pct: float = 0     # random, of each segment from server to client
    cap_mbps: float = 0     # pacing of each TCP connection from server to client, framing included; 0: none
    queue_kb: float = 0     # drop-tail queue each way, in 1000 bytes of wire; 0: one bandwidth-delay product, 50 packets at least
    loss_up_pct: float = 0  # random, from client to server
    wmem_max_kb: int = 0    # the most a socket's send buffer grows to (tcp_wmem); 0: the kernel's default
    rmem_max_kb: int = 0    # the same of its receive buffer (tcp_rmem)

    def settings(self):
        keys = ("rate_mbps", "rtt_ms", "loss_pct", "loss_up_pct", "cap_mbps", "queue_kb")
        return " ".join(f"{key}={getattr(self, key)}" for key in keys)


class Lane:
    """One link with its two ends. A context manager; its methods may be called from any thread."""

    def __init__(self, spec, index=0, directory=None, seed=1):
        if not 0 <= index < MOST_LANES:
            raise LaneError(f"lane index {index}: 0 to {MOST_LANES - 1} is wanted")
        self.spec, self.index, self.seed = spec, index, seed
        self.directory = pathlib.Path(directory) if directory else None
        self.client_ns, self.server_ns = f"pl-wan{index}-c", f"pl-wan{index}-s"
        self.client_ip, self.server_ip = f"10.213.{index}.1", f"10.213.{index}.2"
        self.server_name = f"registry.wan{index}.test"  # in /etc/hosts while the lane is there
        self.sysctls = {}  # what TCP works with, as the kernel reports it: {"client": {name: value}, "server": ...}
        self._control = str(RUN / f"lane-{index}.sock")
        self._lock = self._link = None

    def __enter__(self):
        if os.geteuid() != 0:
            raise LaneError("a lane needs root: it makes network namespaces")
        _unwind_at_sigterm()
        _open_lanes.add(self)
        try:
            self._take_index()
            self._remove_leftovers()
            for namespace in (self.client_ns, self.server_ns):
                _run("ip", "netns", "add", namespace)
            self._start_link()
            self._configure_end("client", self.client_ns, self.client_ip)
            self._configure_end("server", self.server_ns, self.server_ip)
            _edit_hosts(self.index, f"{self.server_ip} {self.server_name}")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends every process in the namespaces and removes all the lane has made. Harmless when that is done already."""
        if self._lock is None:
            return
        self._remove_processes()
        if self._link:
            self._link.stdin.close()
            _end(self._link)
            self._link.stdout.close()
            self._link = None
        self._remove_leftovers()
        self._lock.close()
        self._lock = None
        _open_lanes.discard(self)

    # Commands at the two ends.

    def popen_client(self, argv, **kw):
        return subprocess.Popen([*self.enter_client, *map(str, argv)], **kw)

    def popen_server(self, argv, **kw):
        return subprocess.Popen([*self.enter_server, *map(str, argv)], **kw)

    def run_client(self, argv, **kw):
        return subprocess.run([*self.enter_client, *map(str, argv)], **kw)

    @property
    def enter_client(self):
        """What to put before a command; the process that results is the command's own."""
        return _enter(self.client_ns)

    @property
    def enter_server(self):
        return _enter(self.server_ns)

    # The link.

    def set(self, spec):
        """Changes the link while it carries traffic. Queued packets leave at the new rate; those in flight stay on time."""
        self._command("set " + spec.settings())
        if (spec.wmem_max_kb, spec.rmem_max_kb) != (self.spec.wmem_max_kb, self.spec.rmem_max_kb):
            raise LaneError("tcp_wmem and tcp_rmem are fixed for the life of a lane: open another one")
        self.spec = spec

    def stats(self):
        """Counters since the start or reset_stats(). `down` is server to client; packets are segments as on the wire.

        down_/up_: packets and bytes (delivered, from the IP header on), queue_drops, loss_drops, queue_bytes, queue_peak_bytes,
        queue_limit_bytes; connections, connections_max, connections_total: TCP, from the server's SYN-ACK on; pacer_bytes: held back by
        cap_mbps; lateness_p50_us, _p99_us, _max_us: of departures; cpu_seconds of the emulator in `seconds`;
        tun_drops: packets the kernel dropped before the emulator saw them (0, or the figures are not to be trusted).
        """
        return json.loads(self._command("stats"))

    def reset_stats(self):
        self._command("reset")

    def flush_tcp_metrics(self):
        """Forgets what the kernels' ends have learned of the path (they are told not to remember, too)."""
        for namespace in (self.client_ns, self.server_ns):
            _run("ip", "-n", namespace, "tcp_metrics", "flush")

    def _command(self, line):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            try:
                connection.connect(self._control)
                connection.sendall(line.encode() + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    part = connection.recv(65536)
                    if not part:
                        break
                    answer += part
            except OSError as error:
                raise LaneError(f"wan-link of lane {self.index} does not answer on {self._control}: {error}") from error
        text = answer.decode().strip()
        if text.startswith("error:"):
            raise LaneError(f"lane {self.index}: {text}")
        return text

    # Making and unmaking.

    def _take_index(self):
        RUN.mkdir(mode=0o700, exist_ok=True)
        lock = open(RUN / f"lane-{self.index}.lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise LaneError(f"lane {self.index} is in use by another process: choose another index") from None
        self._lock = lock

    def _start_link(self):
        log = subprocess.PIPE
        self._link = subprocess.Popen(
            [find_binary(), "--client", f"/run/netns/{self.client_ns}", "--server", f"/run/netns/{self.server_ns}",
             "--device", DEVICE, "--set", self.spec.settings(), "--seed", str(self.seed), "--control", self._control,
             "--with-stdin"],
            stdin=subprocess.PIPE, stdout=log, text=True)
        if self._link.stdout.readline() != "ready\n":
            raise LaneError(f"wan-link ended with {self._link.wait()}; its message is above")

    def _configure_end(self, side, namespace, address):
        """IPv4 only, TCP as on a plain Linux server with cubic, and no memory of earlier connections."""
        _run("ip", "-n", namespace, "link", "set", "lo", "up")
        # A queue that never drops: bursts belong into the emulated queue. The kernel's default is 500 packets.
        _run("ip", "-n", namespace, "link", "set", DEVICE, "mtu", "1500", "txqueuelen", "10000")
        _set_sysctl(namespace, "net.ipv6.conf.all.disable_ipv6", "1", optional=True)
        _run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", DEVICE)
        _run("ip", "-n", namespace, "link", "set", DEVICE, "up")
        _use_cubic(namespace)
        _set_sysctl(namespace, "net.ipv4.tcp_no_metrics_save", "1")
        for name, most in (("tcp_wmem", self.spec.wmem_max_kb), ("tcp_rmem", self.spec.rmem_max_kb)):
            if most:
                least, default, _ = _sysctl(namespace, f"net.ipv4.{name}").split()
                _set_sysctl(namespace, f"net.ipv4.{name}", f"{least}\t{default}\t{most * 1024}")
        self.sysctls[side] = {name: _sysctl(namespace, f"net.ipv4.{name}") for name in (
            "tcp_congestion_control", "tcp_wmem", "tcp_rmem", "tcp_no_metrics_save", "tcp_slow_start_after_idle",
            "tcp_window_scaling", "tcp_timestamps", "tcp_sack")}

    def _pids(self):
        found = set()
        for namespace in (self.client_ns, self.server_ns):
            found |= set(map(int, _run("ip", "netns", "pids", namespace, check=False).stdout.split()))
        return found - {os.getpid()}

    def _remove_processes(self):
        """Of our namespaces only, so they are ours."""
        for number, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 5)):
            deadline = time.monotonic() + patience
            pids = self._pids()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            while pids and time.monotonic() < deadline:
                time.sleep(0.02)
                pids = {pid for pid in self._pids() if not _is_zombie(pid)}
            if not pids:
                return

    def _remove_leftovers(self):
        self._remove_processes()
        for namespace in (self.client_ns, self.server_ns):
            if pathlib.Path("/run/netns", namespace).exists():
                _run("ip", "netns", "delete", namespace)
        pathlib.Path(self._control).unlink(missing_ok=True)
        _edit_hosts(self.index, None)


_open_lanes = weakref.WeakSet()


@atexit.register
def _close_lanes():
    for lane in list(_open_lanes):
        lane.close()


def _unwind_at_sigterm():
    """SIGTERM unwinds the stack as KeyboardInterrupt does, unless the program has its own idea."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _enter(namespace):
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"]


def _run(*argv, check=True):
    done = subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise LaneError(f"{' '.join(map(str, argv))} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done


def _end(process):
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _sysctl(namespace, name):
    return _run(*_enter(namespace), "cat", "/proc/sys/" + name.replace(".", "/")).stdout.strip()


def _set_sysctl(namespace, name, value, optional=False):
    path = "/proc/sys/" + name.replace(".", "/")
    return _run(*_enter(namespace), "sh", "-c", f"echo '{value}' > {path}", check=not optional)


def _use_cubic(namespace):
    """Cubic in a namespace. A namespace may only choose what the initial one allows; otherwise it keeps the host's default."""
    with _machine_lock("congestion"):
        before = ALLOWED.read_text().split()
        try:
            if "cubic" not in before:
                ALLOWED.write_text(" ".join([*before, "cubic"]))
            _set_sysctl(namespace, "net.ipv4.tcp_congestion_control", "cubic", optional=True)
        except OSError as error:
            raise LaneError(
                f"cubic cannot be allowed ({error}): run this in the initial network namespace, as root, with the tcp_cubic "
                "module there, or: sysctl -w net.ipv4.tcp_allowed_congestion_control='reno cubic'") from error
        finally:
            if "cubic" not in before:
                with contextlib.suppress(OSError):
                    ALLOWED.write_text(" ".join(before))
    used = _sysctl(namespace, "net.ipv4.tcp_congestion_control")
    if used != "cubic":
        raise LaneError(f"namespace {namespace} uses {used} instead of cubic, so that its figures would say nothing about other "
                        "servers: run 'modprobe tcp_cubic' and see net.ipv4.tcp_available_congestion_control")


@contextlib.contextmanager
def _machine_lock(name):
    """One lane at a time, whichever process it is of."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    with open(RUN / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _edit_hosts(index, entry):
    """The lane's line of /etc/hosts: put there, or (None) taken away. In place: the file may be a bind mount."""
    mark = f"# paceline-wan lane {index}"
    with _machine_lock("hosts"):
        before = HOSTS.read_text() if HOSTS.exists() else ""
        lines = [line for line in before.splitlines() if not line.endswith(mark)]
        after = "\n".join([*lines, *([f"{entry} {mark}"] if entry else [])]) + "\n"
        if after != before and (entry or mark in before):
            HOSTS.write_text(after)


def find_binary():
    """wan-link: the one of PACELINE_BIN_DIR, of the release build, or one made here and now with the compiler alone."""
    name = "wan-link"
    if "PACELINE_BIN_DIR" in os.environ:
        binary = pathlib.Path(os.environ["PACELINE_BIN_DIR"]) / name
        if binary.exists():
            return str(binary)
    sources = sorted((HERE / "link").glob("*.cpp"))
    newest = max(path.stat().st_mtime for path in [*sources, *(HERE / "link").glob("*.h")])
    own = ROOT / "build" / "wan" / name
    for binary in (ROOT / "build" / "release" / "bin" / name, own):
        if binary.exists() and binary.stat().st_mtime >= newest:
            return str(binary)
    own.parent.mkdir(parents=True, exist_ok=True)
    with _machine_lock("build"):
        if not own.exists() or own.stat().st_mtime < newest:
            with tempfile.TemporaryDirectory(dir=own.parent) as scratch:
                fresh = pathlib.Path(scratch) / name
                _run("g++", "-std=c++20", "-O2", f"-I{ROOT}", *sources, "-o", fresh)
                fresh.replace(own)
    return str(own)


def main():
    parser = argparse.ArgumentParser(
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs a command at the client's end of an emulated wide-area link.",
        epilog="""\
The command finds the server at $WAN_SERVER_IP ($WAN_SERVER_NAME); --server runs one there, without it you bring your own:
nsenter --net=/run/netns/pl-wan0-s COMMAND. What the link saw is printed at the end, on standard error.

examples:
  a shell behind a slow line          lane.py --rate 10 --rtt 150 -- bash
  what one connection brings          lane.py --rate 100 --rtt 40 --loss 0.1 --server 'python3 -m http.server 8000' -- \\
                                        sh -c 'curl -o /dev/null http://$WAN_SERVER_IP:8000/FILE'
  a pull through a throttling CDN     lane.py --rate 200 --rtt 35 --cap 5 --server 'docker-registry serve config.yml' -- \\
                                        sh -c 'ctr images pull --plain-http $WAN_SERVER_NAME:5000/image:tag'
""")
    parser.add_argument("--rate", type=float, required=True, metavar="MBPS", help="of the wire, both ways (goodput: 94 %% of it)")
    parser.add_argument("--rtt", type=float, required=True, metavar="MS", help="round-trip time")
    parser.add_argument("--loss", type=float, default=0, metavar="PERCENT", help="random loss, server to client")
    parser.add_argument("--cap", type=float, default=0, metavar="MBPS", help="of each TCP connection, server to client")
    parser.add_argument("--queue", type=float, default=0, metavar="KB",
                        help="drop-tail queue (default: bandwidth x round-trip time, at least 50 packets)")
    parser.add_argument("--index", type=int, default=0, help="which lane, when there are several (default: 0)")
    parser.add_argument("--seed", type=int, default=1, help="of the random losses (default: 1)")
    parser.add_argument("--server", metavar="COMMAND", help="run in a shell at the server's end meanwhile")
    parser.add_argument("command", nargs="+", metavar="-- COMMAND", help="run at the client's end; its exit code is ours")
    options = parser.parse_args()
    spec = LinkSpec(options.rate, options.rtt, options.loss, options.cap, options.queue)
    try:
        with Lane(spec, options.index, seed=options.seed) as lane:
            if options.server:
                lane.popen_server(["sh", "-c", options.server], stdin=subprocess.DEVNULL)
                time.sleep(0.5)  # Most servers listen by then; a client that does not try again is not for this option.
            code = lane.run_client(options.command, env={**os.environ, "WAN_SERVER_IP": lane.server_ip,
                                                         "WAN_SERVER_NAME": lane.server_name}).returncode
            print(json.dumps(lane.stats()), file=sys.stderr)
    except LaneError as error:
        sys.exit(f"lane.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
