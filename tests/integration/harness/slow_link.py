"""A TCP relay with a speed limit, so that a test can act in the middle of a pull.

usage: python3 -m harness.slow_link TARGET BYTES_PER_SECOND     relays for ever, prints its host:port. Each connection gets
that speed, as blob stores serve them.
"""

import signal
import socket
import sys
import threading
import time


class Budget:
    """When the link is free for the next byte."""

    def __init__(self):
        self.free_at = time.monotonic()


class SlowLink:
    """Listens on `host` and relays to `target`; all connections together, or each, get `bytes_per_second` of answers."""

    CHUNK = 16 * 1024

    def __init__(self, target, bytes_per_second, each=False):
        self.target = (target.rsplit(":", 1)[0], int(target.rsplit(":", 1)[1]))
        self.bytes_per_second = bytes_per_second
        self.relayed = 0
        self._each = each
        self._lock = threading.Lock()
        self._all = Budget()
        self._sockets = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()
        for end in list(self._sockets):
            end.close()

    def full_speed(self):
        self.bytes_per_second = 1 << 40

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            self._sockets |= {client, server}
            threading.Thread(target=self._relay, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._relay, args=(server, client, True), daemon=True).start()

    def _pay(self, budget, count):
        with self._lock:
            now = time.monotonic()
            budget.free_at = max(budget.free_at, now) + count / self.bytes_per_second
            self.relayed += count
            wait = budget.free_at - now
        if wait > 0:
            time.sleep(wait)

    def _relay(self, source, sink, slow):
        budget = Budget() if self._each else self._all
        try:
            while data := source.recv(self.CHUNK):
                if slow:
                    self._pay(budget, len(data))
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()
                self._sockets.discard(end)


if __name__ == "__main__":
    print(SlowLink(sys.argv[1], float(sys.argv[2]), each=True).host, flush=True)
    signal.pause()
