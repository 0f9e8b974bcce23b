#!/usr/bin/python3
"""Stands before an open registry: answers 401 without a token, and gives one to everybody, after a while.

usage: token_gate.py LISTEN UPSTREAM SECONDS     host:port each; prints `ready` when it listens
"""

import http.client
import http.server
import json
import sys
import time

TOKEN = "sesame"
CHUNK = 65536


class Gate(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    listen, upstream, seconds = "", "", 0.0

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path.startswith("/token"):
            time.sleep(self.seconds)
            self.answer(200, json.dumps({"token": TOKEN, "expires_in": 300}).encode())
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, b"{}", **{"WWW-Authenticate": f'Bearer realm="http://{self.listen}/token",service="gate"'})
        else:
            self.relay()

    def answer(self, status, body, **headers):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def relay(self):
        connection = http.client.HTTPConnection(self.upstream)
        wanted = {name: self.headers[name] for name in ("Accept", "Range") if name in self.headers}
        connection.request(self.command, self.path, headers=wanted)
        response = connection.getresponse()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        while data := response.read(CHUNK):
            self.wfile.write(data)
        connection.close()


def main():
    Gate.listen, Gate.upstream, Gate.seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    host, port = Gate.listen.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Gate)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
