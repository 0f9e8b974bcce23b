"""packaging/kubernetes: the objects against the API's types, and what their pods run against stand-ins."""

import http.server
import json
import os
import pathlib
import threading

import pytest
import yaml

from debian import ROOT, run
from kubernetes_types import check

FOLDER = ROOT / "packaging" / "kubernetes"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))


def objects(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_every_object_is_of_its_type(path):
    for document in objects(path):
        wrong = check(document)
        assert wrong == [] or (wrong is None and document["kind"] == "ServiceMonitor"), wrong


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_selectors_and_names_fit(path):
    everything = [document for manifest in MANIFESTS for document in objects(manifest)]
    accounts = {o["metadata"]["name"] for o in everything if o["kind"] == "ServiceAccount"} | {"default"}
    pods = [o["spec"]["template"] for o in everything if o["kind"] == "DaemonSet"]
    for document in objects(path):
        spec = document.get("spec", {})
        if document["kind"] == "DaemonSet":
            labels = spec["template"]["metadata"]["labels"]
            assert spec["selector"]["matchLabels"].items() <= labels.items()
            assert spec["template"]["spec"].get("serviceAccountName", "default") in accounts
            pod = spec["template"]["spec"]
            volumes = {volume["name"] for volume in pod.get("volumes", [])}
            for container in pod.get("initContainers", []) + pod["containers"]:
                assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
        if document["kind"] == "Service":
            assert any(spec["selector"].items() <= pod["metadata"]["labels"].items() for pod in pods)
        if document["kind"] in ("ClusterRoleBinding",):
            roles = {o["metadata"]["name"] for o in everything if o["kind"] == "ClusterRole"}
            assert document["roleRef"]["name"] in roles
            assert {subject["name"] for subject in document["subjects"]} <= accounts


def test_the_check_finds_mistakes():
    document = objects(FOLDER / "paceline.yaml")[1]
    pod = document["spec"]["template"]["spec"]
    pod["hostPid"] = pod.pop("hostPID")
    pod["containers"][0]["readinessProbe"]["periodSeconds"] = "60"
    del document["spec"]["selector"]
    assert len(check(document)) == 3, check(document)


@pytest.fixture
def tools(tmp_path):
    """tools(name, script): a command that is found first; what they were called with is in `calls`."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    calls.touch()

    def make(name, script):
        (folder / name).write_text(f'#!/bin/bash\necho "{name} $*" >> {calls}\n{script}\n')
        (folder / name).chmod(0o755)
    make.environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    make.calls = lambda: calls.read_text().splitlines()
    return make


def test_a_node_is_switched_on_checked_and_off(tools, tmp_path):
    tools("nsenter", 'while [ "$1" != -- ]; do shift; done; shift; [ "$1" = env ] && shift 2; exec "$@"')
    tools("apt-get", "")
    tools("paceline", '[ "$1" != doctor ] || exit 1')
    package, host = tmp_path / "paceline.deb", tmp_path / "host"
    package.write_text("a package")
    environment = {**tools.environment, "PACKAGE": str(package), "HOST": str(host)}
    run(FOLDER / "node-switch", "on", env=environment)
    assert (host / "paceline.deb").read_text() == "a package"
    done = [call for call in tools.calls() if not call.startswith("nsenter")]
    assert done[0].startswith("apt-get install -y") and done[1] == "paceline install --now"
    assert run(FOLDER / "node-switch", "check", check=False, env=environment).returncode == 1
    run(FOLDER / "node-switch", "off", env=environment)
    assert tools.calls()[-1] == "apt-get purge -y paceline" and "paceline uninstall --now" in tools.calls()
    assert not list(host.iterdir())
    assert run(FOLDER / "node-switch", check=False).returncode == 2


class Api(http.server.BaseHTTPRequestHandler):
    images, asked = [], []

    def do_GET(self):
        self.asked.append((self.path, self.headers["Authorization"]))
        body = json.dumps({"items": [{"spec": {"image": image}} for image in self.images]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_what_knative_announces_is_prefetched_once(tools, tmp_path):
    Api.images, Api.asked = ["reg.example/a@sha256:00", "reg.example/a@sha256:00", "reg.example/b:1"], []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "token").write_text("secret-of-the-pod")
    (tmp_path / "ca.crt").touch()
    # b fails the first time; the loop ends in the third round.
    tools("paceline", f'[[ "$*" != *b:1 ]] || [ -e {tmp_path}/second ] || {{ touch {tmp_path}/second; exit 1; }}')
    tools("sleep", f'[ ! -e {tmp_path}/third ] || kill $PPID; [ ! -e {tmp_path}/second ] || touch {tmp_path}/third')
    environment = {**tools.environment, "API": f"http://127.0.0.1:{server.server_port}", "ACCOUNT": str(tmp_path),
                   "PREFETCH_OPTIONS": "--unpack"}
    run(FOLDER / "knative-prefetch", check=False, env=environment)
    server.shutdown()
    prefetched = [call for call in tools.calls() if call.startswith("paceline")]
    assert prefetched == ["paceline prefetch --unpack -- reg.example/a@sha256:00",
                          "paceline prefetch --unpack -- reg.example/b:1",
                          "paceline prefetch --unpack -- reg.example/b:1"]
    assert Api.asked[0] == ("/apis/caching.internal.knative.dev/v1alpha1/images", "Bearer secret-of-the-pod")
    run(FOLDER / "knative-prefetch", "--once", env={**environment, "API": "http://127.0.0.1:1"})


def test_the_image_has_what_the_manifests_run():
    text = (FOLDER / "Containerfile").read_text()
    for manifest in MANIFESTS:
        for document in objects(manifest):
            pod = document.get("spec", {}).get("template", {}).get("spec", {})
            for container in pod.get("initContainers", []) + pod.get("containers", []):
                if "paceline-node" in container["image"] and container["command"][0] != "sleep":
                    assert container["command"][0] in text
                    assert pathlib.Path(FOLDER / container["command"][0]).stat().st_mode & 0o111
