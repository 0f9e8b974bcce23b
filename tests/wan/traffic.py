#!/usr/bin/python3
"""Bulk TCP flows to measure a lane with: cheap for the processor (the receiver lets the kernel discard what comes).

usage: traffic.py serve IP PORT               sends zeroes to whoever connects, as fast as TCP takes them
       traffic.py fetch IP PORT FLOWS WARMUP SECONDS
                                              receives over FLOWS connections; bytes of each in SECONDS after WARMUP, as JSON
"""

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time

BLOCK = 1 << 20
PORT = 9000


@contextlib.contextmanager
def sender(lane, port=PORT):
    """`serve` at the lane's far end."""
    process = lane.popen_server(["/usr/bin/python3", __file__, "serve", lane.server_ip, port])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def receiver(lane, flows, warmup, seconds, port=PORT):
    """`fetch` at the near end, meanwhile; yields a function that waits for what it measured."""
    process = lane.popen_client(["/usr/bin/python3", __file__, "fetch", lane.server_ip, port, flows, warmup, seconds],
                                stdout=subprocess.PIPE, text=True)

    def result():
        out = process.communicate(timeout=60 + warmup + seconds)[0]
        if process.returncode != 0:
            raise RuntimeError(f"traffic.py fetch ended with {process.returncode}")
        return json.loads(out)

    try:
        yield result
    finally:
        process.kill()
        process.communicate()


def measure(lane, flows, warmup, seconds):
    """Goodput in Mbps of each of so many flows, after a warm-up."""
    with sender(lane), receiver(lane, flows, warmup, seconds) as result:
        measured = result()
    return [8e-6 * count / measured["seconds"] for count in measured["bytes"]]


def serve(address, port):
    listener = socket.create_server((address, port), backlog=128)
    with open(os.memfd_create("zeroes"), "wb", buffering=0) as zeroes:
        zeroes.truncate(64 * BLOCK)

        def send(connection):
            with connection:
                try:
                    while True:
                        os.sendfile(connection.fileno(), zeroes.fileno(), 0, 64 * BLOCK)
                except OSError:
                    pass

        while True:
            threading.Thread(target=send, args=(listener.accept()[0],), daemon=True).start()


def connect(address, port, patience=10):
    deadline = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection((address, port), timeout=patience)
        except ConnectionRefusedError:  # The sender is being started at the same time.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def fetch(address, port, flows, warmup, seconds):
    selector = selectors.DefaultSelector()
    received, room = [0] * flows, bytearray(BLOCK)  # MSG_TRUNC: counted, not copied
    for i in range(flows):
        connection = connect(address, port)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, i)
    start = before = None
    begin = time.monotonic()
    while True:
        for key, _ in selector.select(0.1):
            try:
                received[key.data] += key.fileobj.recv_into(room, BLOCK, socket.MSG_TRUNC)
            except BlockingIOError:
                pass
        now = time.monotonic()
        if start is None and now >= begin + warmup:
            start, before = now, received.copy()
        if start is not None and now >= start + seconds:
            return {"seconds": now - start, "bytes": [a - b for a, b in zip(received, before)]}


def main(argv):
    if argv[:1] == ["serve"] and len(argv) == 3:
        serve(argv[1], int(argv[2]))
    elif argv[:1] == ["fetch"] and len(argv) == 6:
        print(json.dumps(fetch(argv[1], int(argv[2]), int(argv[3]), float(argv[4]), float(argv[5]))))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
