"""nginx in front of the registry, with the limits that real registries and firewalls have."""

import collections
import dataclasses
import pathlib

from harness.processes import Process, run

CONFIG = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  log_format short '$status $request_method $uri $http_user_agent';
  access_log {directory}/access.log short;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  limit_req_zone $server_name zone=requests:1m rate={rate}r/s;
  limit_conn_zone $server_name zone=connections:1m;
  upstream registry {{ server {upstream}; keepalive 64; }}
  server {{
    listen {address};
    server_name guarded;
    {limits}
    location / {{
      proxy_pass http://registry;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering off;
    }}
  }}
}}
"""


@dataclasses.dataclass(frozen=True)
class Limits:
    """429 above `requests_per_second` (and `burst` at once), 503 above `connections` with a request under way. 0: none."""
    requests_per_second: int = 0
    burst: int = 0
    connections: int = 0

    def directives(self):
        lines = []
        if self.requests_per_second:
            lines += [f"limit_req zone=requests burst={self.burst} nodelay;", "limit_req_status 429;"]
        if self.connections:
            lines += [f"limit_conn connections {self.connections};", "limit_conn_status 503;"]
        return " ".join(lines)


class Guard:
    def __init__(self, directory, enter, address, upstream, limits):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self._config = self.directory / "nginx.conf"
        self._config.write_text(CONFIG.format(
            directory=self.directory, address=address, upstream=upstream, rate=limits.requests_per_second or 1,
            limits=limits.directives()))
        self._process = Process([*enter, "nginx", "-p", self.directory, "-e", self.directory / "error.log", "-c", self._config],
                                self.directory / "nginx.log")
        self._process.wait_until(lambda: run(*enter, "curl", "-s", f"http://{address}/v2/", check=False).returncode == 0,
                                 "nginx to listen")

    def close(self):
        self._process.stop()

    def answers(self):
        """Of the daemon's requests: status → how many."""
        log = (self.directory / "access.log").read_text()
        lines = [line.split(maxsplit=3) for line in log.splitlines()]
        return collections.Counter(int(status) for status, _, _, agent in lines if agent.startswith("paceline"))
