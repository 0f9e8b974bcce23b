"""Debian's docker-registry on a loopback port, and what its access log says about who fetched what."""

import base64
import collections
import http.client
import http.server
import json
import re
import subprocess
import threading
import time
import urllib.parse

from .images import digest_of
from .processes import Process, free_port, run

ACCESS = re.compile(r'^\S+ \S+ \S+ \[[^]]*\] "(?P<method>\S+) (?P<path>\S+) [^"]*" (?P<status>\d+) (?P<bytes>\d+) '
                    r'"[^"]*" "(?P<agent>[^"]*)"')
Request = collections.namedtuple("Request", "method path agent status bytes")


def is_ours(agent):
    """Whether a User-Agent is the daemon's; everything else is containerd, ctr or this harness."""
    return agent.split("/")[0] == "paceline"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def push(host, image, repository, tag="latest", authorization=None):
    """Uploads an image; returns its reference."""
    headers = {"User-Agent": "harness"} | ({"Authorization": authorization} if authorization else {})
    connection = http.client.HTTPConnection(host, timeout=60)

    def ask(method, path, body=None, expect=201, **extra):
        connection.request(method, path, body=body, headers=headers | extra)
        response = connection.getresponse()
        said = response.read()
        assert response.status == expect, f"{method} {path}: {response.status} {said[:500]}"
        return response

    for digest, data in image.blobs.items():
        location = ask("POST", f"/v2/{repository}/blobs/uploads/", b"", 202).headers["Location"]
        target = urllib.parse.urlsplit(location)
        ask("PUT", f"{target.path}?{target.query}&digest={digest}", data, **{"Content-Type": "application/octet-stream"})
    for media_type, data in image.manifests:
        name = tag if data == image.manifest else digest_of(data)
        ask("PUT", f"/v2/{repository}/manifests/{name}", data, **{"Content-Type": media_type})
    connection.close()
    return f"{host}/{repository}:{tag}"


class Registry:
    """Open, or with `auth` as a part of docker-registry's configuration.

    `data`: where its images are, or are to be kept beyond its life. `enter`: the command that runs it elsewhere, e.g.
    `nsenter --net=…`, which has to exec it; then `address` is one of there. `log`: instead of a file of its own."""

    def __init__(self, directory, auth="", data=None, enter=(), address="127.0.0.1", port=None, log=None):
        self.directory, self.enter = directory, list(enter)
        directory.mkdir(parents=True)
        self.port = port or free_port()
        self.host = f"{address}:{self.port}"
        config = directory / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '{self.host}'}}\n"
            f"storage: {{filesystem: {{rootdirectory: '{data or directory / 'data'}'}}, delete: {{enabled: true}}}}\n{auth}")
        self.process = Process([*self.enter, "docker-registry", "serve", config], log or directory / "registry.log")
        self.process.wait_until(self._answers, "docker-registry to listen")

    def _answers(self):
        if self.enter:
            return run(*self.enter, "curl", "-s", f"http://{self.host}/v2/", check=False).returncode == 0
        try:
            connection = http.client.HTTPConnection(self.host, timeout=2)
            connection.request("GET", "/v2/", headers={"User-Agent": "harness"})
            return connection.getresponse().status in (200, 401)
        except OSError:
            return False

    def stop(self):
        self.process.stop()

    def push(self, image, repository, tag="latest", authorization=None):
        return push(self.host, image, repository, tag, authorization)

    # The access log.

    def requests(self, repository=None):
        found = []
        for line in self.process.output().splitlines():
            match = ACCESS.match(line)
            if match and match["agent"] != "harness":
                request = Request(match["method"], match["path"], match["agent"], int(match["status"]), int(match["bytes"]))
                if repository is None or request.path.startswith(f"/v2/{repository}/"):
                    found.append(request)
        return found

    def layer_requests(self, image, repository):
        """GETs of the image's layers as (the daemon's, everybody else's)."""
        layers = set(image.layer_digests)
        gets = [r for r in self.requests(repository) if r.method == "GET" and r.path.split("?")[0].rsplit("/", 1)[-1] in layers]
        return [r for r in gets if is_ours(r.agent)], [r for r in gets if not is_ours(r.agent)]

    def bytes_sent(self, image, repository):
        """Layer digest → body bytes this registry sent for it, to anyone."""
        sent = dict.fromkeys(image.layer_digests, 0)
        for request in sum(self.layer_requests(image, repository), []):
            if request.status in (200, 206):
                sent[request.path.split("?")[0].rsplit("/", 1)[-1]] += request.bytes
        return sent


def basic_auth(directory, user, password):
    """The `auth` part for htpasswd Basic."""
    directory.mkdir(parents=True, exist_ok=True)
    table = directory / "htpasswd"
    table.write_text(run("htpasswd", "-Bbn", user, password).stdout)
    return f"auth: {{htpasswd: {{realm: test, path: '{table}'}}}}\n"


class TokenServer:
    """A Bearer token service in the Docker registry's protocol: users and passwords in, signed short-lived tokens out."""

    SERVICE, ISSUER = "test-registry", "test-issuer"

    def __init__(self, directory, users, lifetime_seconds=300):
        directory.mkdir(parents=True, exist_ok=True)
        self.users, self.lifetime = users, lifetime_seconds
        self.issued = []  # (user or None, scope) of each token given
        self.key, self.certificate = directory / "key.pem", directory / "certificate.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=token", "-days", "2",
            "-keyout", self.key, "-out", self.certificate)
        der = b"".join(self.certificate.read_bytes().splitlines()[1:-1])
        self.chain = [der.decode()]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                outer._answer(self, query.get("scope", []))

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
                if form.get("grant_type") == ["password"]:
                    self.headers["Authorization"] = basic(form["username"][0], form["password"][0])
                outer._answer(self, form.get("scope", []))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.realm = f"http://127.0.0.1:{self.server.server_port}/token"

    @property
    def auth(self):
        return (f"auth: {{token: {{realm: '{self.realm}', service: {self.SERVICE}, issuer: {self.ISSUER}, "
                f"rootcertbundle: '{self.certificate}'}}}}\n")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def token(self, user, scopes):
        now = int(time.time())
        access = []
        for scope in " ".join(scopes).split():
            kind, name, actions = scope.split(":")[0], ":".join(scope.split(":")[1:-1]), scope.rsplit(":", 1)[1]
            if user is not None:
                access.append({"type": kind, "name": name, "actions": actions.split(",")})
        claims = {"iss": self.ISSUER, "sub": user or "", "aud": self.SERVICE, "iat": now, "nbf": now - 10,
                  "exp": now + self.lifetime, "jti": f"{now}-{len(self.issued)}", "access": access}
        header = {"typ": "JWT", "alg": "RS256", "x5c": self.chain}
        signed = b".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed,
                                   capture_output=True, check=True).stdout
        self.issued.append((user, " ".join(scopes)))
        return (signed + b"." + _base64url(signature)).decode()

    def _answer(self, handler, scopes):
        user, authorization = None, handler.headers.get("Authorization")
        status, body = 200, {}
        if authorization:
            user, _, password = base64.b64decode(authorization.split(" ", 1)[1]).decode().partition(":")
            if self.users.get(user) != password:
                status, body = 401, {"errors": [{"code": "UNAUTHORIZED"}]}
        if status == 200:
            token = self.token(user, scopes)
            body = {"token": token, "access_token": token, "expires_in": self.lifetime,
                    "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")
