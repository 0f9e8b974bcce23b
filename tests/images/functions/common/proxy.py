"""What answers a function platform in the container: /init does nothing, /run calls the handler. `--once` calls it and prints what it says."""

import http.server
import json
import sys

import handler


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        answer = {"ok": True} if self.path == "/init" else handler.main(body.get("value", {}))
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    if sys.argv[1:] == ["--once"]:
        print(json.dumps(handler.main({})))
    else:
        http.server.HTTPServer(("", 8080), Proxy).serve_forever()
