"""A registry that serves one image correctly, except where a fault says otherwise.

A fault is a function of a Request that sends an answer of its own and returns True, or returns False to let the correct
one go out. Faults of this module are made by calling their factory, e.g. `on_layers(dies_after(100_000))`.
"""

import collections
import http.server
import json
import re
import threading
import time

from .images import digest_of
from .registry import is_ours

Seen = collections.namedtuple("Seen", "method path agent range authorization")
SECOND = 1.0


class FaultRegistry:
    def __init__(self, image, fault=None, repository="test/image"):
        self.image, self.fault, self.repository = image, fault, repository
        self.blobs = image.blobs
        self.manifests = {digest_of(data): (kind, data) for kind, data in image.manifests}
        self.seen = []
        self._lock = threading.Lock()
        outer = self

        class Handler(Request):
            registry = outer

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass  # A client that hangs up is what many a test wants.

        self.server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.reference = f"{self.host}/{repository}:latest"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def note(self, request):
        with self._lock:
            self.seen.append(Seen(request.command, request.path, request.headers.get("User-Agent", ""),
                                  request.headers.get("Range"), request.headers.get("Authorization")))

    def layer_requests(self):
        """GETs of layers as (the daemon's, everybody else's)."""
        layers = set(self.image.layer_digests)
        gets = [s for s in self.seen if s.method == "GET" and s.path.split("?")[0].rsplit("/", 1)[-1] in layers]
        return [s for s in gets if is_ours(s.agent)], [s for s in gets if not is_ours(s.agent)]


class Request(http.server.BaseHTTPRequestHandler):
    """One request; what faults work with. `body`, `media_type` and `span` describe the correct answer."""

    protocol_version = "HTTP/1.1"
    registry = None

    def log_message(self, *_):
        pass

    @property
    def ours(self):
        return is_ours(self.headers.get("User-Agent", ""))

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.registry.note(self)
        self.kind, self.name, self.body, self.media_type = self._find()
        if self.registry.fault and self.registry.fault(self):
            return
        if self.body is None:
            self.answer(404, b'{"errors":[{"code":"NOT_FOUND","message":"no such thing here"}]}', "application/json")
        else:
            self.serve()

    def _find(self):
        path = self.path.split("?")[0]
        base = f"/v2/{self.registry.repository}/"
        if path.rstrip("/") == "/v2":
            return "ping", "", b"{}", "application/json"
        if path.startswith(base + "manifests/"):
            name = path.rsplit("/", 1)[-1]
            if name == "latest":
                name = self.registry.image.digest
            kind, data = self.registry.manifests.get(name, (None, None))
            return "manifest", name, data, kind
        if path.startswith(base + "blobs/"):
            name = path.rsplit("/", 1)[-1]
            kind = "layer" if name in self.registry.image.layer_digests else "config"
            return kind, name, self.registry.blobs.get(name), "application/octet-stream"
        return "other", path, None, None

    @property
    def span(self):
        """(first, last) of the requested range, both included; None without one."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not match or self.kind != "layer":
            return None
        return int(match[1]), min(int(match[2]) if match[2] else len(self.body) - 1, len(self.body) - 1)

    # Ways to answer.

    def serve(self, body=None, limit=None, pace=None):
        """The correct answer; with another body, cut off after `limit` bytes, or sent at `pace` bytes a second."""
        body = self.body if body is None else body
        span = self.span
        headers = {"Docker-Content-Digest": self.name if self.kind == "manifest" else None, "Accept-Ranges": "bytes"}
        if span:
            headers["Content-Range"] = f"bytes {span[0]}-{span[1]}/{len(body)}"
            body = body[span[0]:span[1] + 1]
        self.answer(206 if span else 200, body, self.media_type, limit=limit, pace=pace, **headers)

    def answer(self, status, body=b"", media_type="text/plain", limit=None, pace=None, length=None, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": media_type, "Content-Length": length or len(body), **headers}.items():
            if value is not None:
                self.send_header(name, str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        data = body if limit is None else body[:limit]
        step = len(data) if pace is None else max(1, int(pace / 20))
        for start in range(0, len(data), step or 1):
            self.wfile.write(data[start:start + step])
            if pace is not None:
                time.sleep(SECOND / 20)
        if limit is not None and limit < len(body):
            self.hang_up()

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True


# Which requests a fault is for.

def on(kind, fault):
    return lambda request: request.kind == kind and request.command == "GET" and fault(request)


def on_layers(fault):
    return on("layer", fault)


def on_manifests(fault):
    return lambda request: request.kind == "manifest" and fault(request)


def for_the_daemon(fault):
    """containerd itself gets correct answers."""
    return lambda request: request.ours and fault(request)


def times(count, fault):
    """The first `count` requests only."""
    left = [count]
    lock = threading.Lock()

    def limited(request):
        with lock:
            if left[0] <= 0:
                return False
            left[0] -= 1
        return fault(request)
    return limited


# Faults.

def _done(action):
    def fault(request):
        action(request)
        return True
    return fault


def dies_beyond(position):
    """Serves layer bytes below `position` and then hangs up; requests wholly beyond it get nothing at all."""
    def action(request):
        first = request.span[0] if request.span else 0
        if first >= position:
            request.hang_up()
        else:
            request.serve(limit=position - first)
    return _done(action)


def wrong_bytes():
    """Right length, wrong content."""
    return _done(lambda request: request.serve(body=bytes(byte ^ 0x55 for byte in request.body)))


def longer(extra):
    """The body goes on past its descriptor's size."""
    return _done(lambda request: request.answer(200, request.body + b"x" * extra, request.media_type))


def shorter(missing):
    """A complete answer whose body is too short for its descriptor."""
    return _done(lambda request: request.answer(200, request.body[:-missing], request.media_type))


def truncated(count):
    """Promises the whole, hangs up after `count` bytes."""
    return _done(lambda request: request.serve(limit=count))


def endless():
    """A chunked body that never ends."""
    def action(request):
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        chunk = b"x" * 65536
        while True:
            request.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    return _done(action)


def ignores_ranges():
    """200 and the whole body, whatever was asked for."""
    return _done(lambda request: request.answer(200, request.body, request.media_type))


def shifted_ranges(by):
    """206 with a Content-Range, and bytes, that begin `by` earlier than asked: they overlap what the daemon has."""
    def fault(request):
        if not request.span or request.span[0] < by:
            return False
        first, last = request.span[0] - by, request.span[1]
        request.answer(206, request.body[first:last + 1], request.media_type,
                       **{"Content-Range": f"bytes {first}-{last}/{len(request.body)}"})
        return True
    return fault


def lying_ranges():
    """206 whose Content-Range is what was asked for, but whose bytes come from elsewhere."""
    def fault(request):
        if not request.span or request.span[0] == 0:
            return False
        first, last = request.span
        request.answer(206, request.body[:last - first + 1], request.media_type,
                       **{"Content-Range": f"bytes {first}-{last}/{len(request.body)}"})
        return True
    return fault


def redirect_loop():
    return _done(lambda request: request.answer(307, Location=request.path))


def redirects_to(host):
    """Sends blob requests to another registry's host (a blob store)."""
    return _done(lambda request: request.answer(
        307, Location=f"http://{host}{request.path}?signature=secret-{'x' * 20}"))


def html():
    return _done(lambda request: request.answer(200, b"<!DOCTYPE html><html><body>Log in to the hotel's Wi-Fi</body></html>",
                                                "text/html"))


def giant(size):
    """A body of `size` bytes that is never held in memory here; valid JSON that has no end."""
    def action(request):
        request.send_response(200)
        request.send_header("Content-Type", request.media_type)
        request.send_header("Content-Length", str(size))
        request.end_headers()
        if request.command == "HEAD":
            return
        request.wfile.write(b'{"schemaVersion":2,"padding":"')
        chunk, sent = b"a" * (1 << 20), 30
        while sent < size:
            request.wfile.write(chunk)
            sent += len(chunk)
    return _done(action)


def claims_length(length):
    """A Content-Length out of this world."""
    return _done(lambda request: request.answer(200, request.body, request.media_type, length=length))


def status(code, **headers):
    body = json.dumps({"errors": [{"code": "REFUSED", "message": f"scripted {code}"}]}).encode()
    return _done(lambda request: request.answer(code, body, "application/json",
                                                **{name.replace("_", "-"): value for name, value in headers.items()}))


def wants_a_token(tokens, seconds, bytes_per_second):
    """401 without a token of the TokenServer `tokens`, and from `seconds` after its first use on; slow answers with one."""
    first_use = {}
    lock = threading.Lock()

    def fault(request):
        authorization = request.headers.get("Authorization", "")
        now = time.monotonic()
        with lock:
            good = authorization.startswith("Bearer ") and now < first_use.setdefault(authorization, now) + seconds
        if good:
            request.serve(pace=bytes_per_second)
        else:
            scope = f"repository:{request.registry.repository}:pull"
            challenge = f'Bearer realm="{tokens.realm}",service="{tokens.SERVICE}",scope="{scope}"'
            request.answer(401, b"{}", "application/json", **{"WWW-Authenticate": challenge})
        return True
    return fault


def slow(bytes_per_second):
    return _done(lambda request: request.serve(pace=bytes_per_second))


def stalls(count):
    """Sends `count` bytes and then nothing, with the connection kept open."""
    def action(request):
        request.send_response(206 if request.span else 200)
        first, last = request.span or (0, len(request.body) - 1)
        if request.span:
            request.send_header("Content-Range", f"bytes {first}-{last}/{len(request.body)}")
        request.send_header("Content-Length", str(last - first + 1))
        request.end_headers()
        request.wfile.write(request.body[first:first + count])
        request.wfile.flush()
        time.sleep(60)
        request.hang_up()
    return _done(action)
