"""`paceline analyze`, `compare`, `calibrate`: every sum against tar and dpkg on an image that dpkg has made."""

import gzip
import json
import os
import pathlib
import socket
import stat
import subprocess

import pytest

from harness import layouts
from harness.images import Layer, digest_of, image_of
from harness.pacelined import BIN, Pacelined
from harness.processes import run, wait_until
from harness.rootfs import RootFs

pytestmark = pytest.mark.one_version
PATH = ["--path", "100mbps-35ms"]
TOOL = BIN / "paceline"


@pytest.fixture(autouse=True)
def on_one_version(version):
    """containerd has no part in it."""


class Built:
    """Three layers: packages; what a careless build leaves behind; a purge and changes."""

    def __init__(self, folder):
        self.root = RootFs(folder)
        self.root.install("zlib1g", "zlib1g-dev", "hello", "make", "linux-libc-dev")
        layers = [self.root.commit()]
        model = os.urandom(200_000)
        self.root.write("app/model.bin", model)
        self.root.write("app/second.bin", model)
        self.root.write("app/module.py", b"print(1)\n")
        self.root.write("app/__pycache__/module.cpython-311.pyc", b"bytecode" * 100)
        self.root.write("var/lib/apt/lists/archive_Packages", b"Package: x\n" * 9000)
        self.root.write("root/.cache/pip/wheel", os.urandom(50_000))
        os.link(self.root.path / "app/model.bin", self.root.path / "app/linked.bin")
        self.root.write("app/site-packages/thing-1.0.dist-info/METADATA", b"Name: thing\nVersion: 1.0\n")
        self.root.write("app/site-packages/thing-1.0.dist-info/RECORD", b"thing.py,,\n")
        self.root.write("app/site-packages/thing.py", b"x = 1\n" * 50)
        layers.append(self.root.commit())
        self.root.purge("hello")
        (self.root.path / "app/second.bin").unlink()
        self.root.write("app/module.py", b"print(2)\n")
        layers.append(self.root.commit())
        self.image = image_of("built", layers)
        self.layout = layouts.write(self.image, folder / "layout")

    def files(self):
        """Path → (bytes, inode) of what is no folder, as the host sees it."""
        out = {}
        for folder, folders, files in os.walk(self.root.path):
            for name in folders + files:
                path = pathlib.Path(folder, name)
                info = path.lstat()
                if not stat.S_ISDIR(info.st_mode):
                    out[str(path.relative_to(self.root.path))] = (info.st_size if stat.S_ISREG(info.st_mode) else 0, info.st_ino)
        return out


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return Built(tmp_path_factory.mktemp("built"))


def analyze(*arguments, check=True):
    done = run(TOOL, "--address", "/nonexistent.sock", "--output", "json", "analyze", *PATH, *arguments, check=check)
    return json.loads(done.stdout) if check else done


def sizes_of(files):
    """Bytes of files, those of several names once."""
    return sum({inode: size for size, inode in files}.values())


def listing(layer, folder):
    """What `tar tv` prints: (type, size, name) of each entry."""
    file = folder / "layer.tar.gz"
    file.write_bytes(layer.data)
    lines = run("tar", "tvzf", file).stdout.splitlines()
    return [(line[0], int(line.split(None, 5)[2]), line.split(None, 5)[5]) for line in lines]


def test_sums_are_those_of_tar(built, tmp_path):
    said = analyze(built.layout)
    assert said["manifest_digest"] == built.image.digest
    for layer, found in zip(built.image.layers, said["layers"], strict=True):
        entries = listing(layer, tmp_path)
        whiteouts = [entry for entry in entries if "/.wh." in "/" + entry[2]]
        plain = [entry for entry in entries if entry not in whiteouts]
        count = lambda kind: sum(entry[0] == kind for entry in plain)
        assert found["entries"] == len(entries)
        assert (found["files"], found["directories"], found["symlinks"]) == (count("-"), count("d"), count("l"))
        assert found["hard_links"] == count("h")
        assert found["whiteouts"] == len(whiteouts)
        assert found["file_bytes"] == sum(size for kind, size, _ in plain if kind == "-")
        assert found["compressed_bytes"] == len(layer.data)
        assert found["uncompressed_bytes"] == len(gzip.decompress(layer.data))
    hard_linked = [layer for layer in said["layers"] if layer["hard_links"]]
    assert len(hard_linked) == 1 and sum(layer["whiteouts"] for layer in said["layers"]) > 5


def test_what_a_container_sees_is_what_lies_on_the_host(built):
    said = analyze(built.layout)
    files = built.files()
    hidden = said["waste"]["hidden"]
    assert said["files_sum"]["files"] - hidden["files"] == len(files)
    assert said["files_sum"]["bytes"] - hidden["bytes"] == sizes_of(files.values())
    assert hidden["bytes"] > 200_000  # second.bin, and all of hello


def test_packages_are_those_of_dpkg(built):
    packages = {package["name"]: package for package in analyze(built.layout)["packages"] if package["kind"] == "dpkg"}
    installed = dict(line.split() for line in built.root.query("-W", "-f", "${Package} ${Version}\\n").splitlines())
    assert {name: package["version"] for name, package in packages.items()} == installed
    files = built.files()
    for name, package in packages.items():
        listed = {line.lstrip("/") for line in built.root.query("-L", name).splitlines()}
        own = [files[path] for path in listed if path in files]
        assert (package["files"], package["bytes"]) == (len(own), sizes_of(own)), name
    assert [name for name, package in packages.items() if package["build_only"]] != []
    assert packages["zlib1g-dev"]["build_only"] and packages["make"]["build_only"] and not packages["zlib1g"]["build_only"]


def test_waste_by_class_names_only_what_may_go(built):
    said = analyze("--files", built.layout)
    waste = {name: [path for layer in layers for path in layer] for name, layers in said["waste_files"].items()}
    assert waste["apt-lists"] == ["var/lib/apt/lists/archive_Packages"]
    assert waste["caches"].count("root/.cache/pip/wheel") == 1
    assert waste["bytecode"] == ["app/__pycache__/module.cpython-311.pyc"]
    assert "app/second.bin" in waste["hidden"] and "app/module.py" in waste["hidden"]
    assert "usr/include/zlib.h" in waste["build-packages"]
    everything = {path for paths in waste.values() for path in paths}
    assert "app/model.bin" not in everything and "app/linked.bin" not in everything
    assert not any(path.endswith("/copyright") for path in everything - set(waste["hidden"]) - set(waste["build-packages"]))
    classes = [advice["id"] for advice in said["advice"]]
    assert {"build-packages", "hidden", "apt-lists"} <= set(classes)
    assert [advice["saves_ms"] for advice in said["advice"]] == sorted((advice["saves_ms"] for advice in said["advice"]), reverse=True)


def test_every_kind_of_source_says_the_same(built, registry, pacelined, tmp_path):
    figures = ("uncompressed_bytes", "entries", "files_sum", "waste_sum", "packages")
    # Shares of the blobs are estimates, and an uncompressed archive's are others.
    reduced = lambda said: json.loads(json.dumps({key: said[key] for key in figures}),
                                      object_hook=lambda item: {k: v for k, v in item.items() if k != "compressed_bytes"})
    layout = reduced(analyze(built.layout))
    reference = registry.push(built.image, "analyzed")
    assert reduced(analyze(reference)) == layout
    run("skopeo", "copy", "--quiet", f"oci:{built.layout}", f"docker-archive:{tmp_path}/docker.tar:built:1")
    docker = analyze(tmp_path / "docker.tar")
    assert reduced(docker) == layout
    assert all(layer["compressed_bytes_estimated"] for layer in docker["layers"])
    assert docker["compressed_bytes"] == pytest.approx(sum(len(layer.data) for layer in built.image.layers), rel=0.25)
    pacelined.cli("prefetch", reference)
    stored = pacelined.cli_json("analyze", *PATH, "--store", pacelined.content, reference)[0]
    assert reduced(stored) == layout


def test_broken_images_are_said_and_end_with_1(built, tmp_path):
    broken = tmp_path / "broken"
    layouts.write(built.image, broken)
    blob = broken / "blobs" / "sha256" / built.image.layers[1].digest.split(":")[1]
    blob.write_bytes(blob.read_bytes()[:-500])
    done = analyze(broken, check=False)
    assert done.returncode == 1
    assert "layer 2" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "text.tar").write_text("no archive")
    assert analyze(tmp_path / "text.tar", check=False).returncode == 1
    assert analyze("localhost:1/absent:1", check=False).returncode == 1


def test_the_timeout_ends_what_waits_for_a_registry():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # It takes connections and never answers.
        said = analyze(f"localhost:{silent.getsockname()[1]}/x:1", "--timeout", "500ms", check=False)
    assert said.returncode == 5 and "no end within 500ms of reading localhost" in said.stderr


def test_memory_does_not_follow_the_size_of_a_layer(tmp_path):
    size = 900 << 20
    file = tmp_path / "zeros"
    with open(file, "wb") as zeros:
        zeros.truncate(size)
    pipe = f"set -o pipefail; tar -C {tmp_path} -cf - zeros | tee >(sha256sum > {tmp_path}/sum) | gzip -1 > {tmp_path}/layer.gz"
    run("bash", "-c", pipe, timeout=300)
    diff_id = wait_until(lambda: (tmp_path / "sum").read_text().split(), "the checksum")[0]
    layout = layouts.write(image_of("big", [Layer((tmp_path / "layer.gz").read_bytes(), f"sha256:{diff_id}")]), tmp_path / "layout")
    with subprocess.Popen([TOOL, "--address", "/nonexistent.sock", "-o", "json", "analyze", *PATH, layout], stdout=subprocess.PIPE) as child:
        said = json.loads(child.stdout.read())
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert said["files_sum"]["bytes"] == size
    if not os.environ.get("PACELINE_BIN_DIR", "").endswith(("asan/bin", "tsan/bin")):  # Sanitizers have memory of their own.
        assert usage.ru_maxrss < 200 << 10  # KiB


def test_the_model_learns_from_the_nodes_pulls(registry, tmp_path, closing, push):
    node = closing(Pacelined(tmp_path / "node", {"snapshotter.enabled": True})).start()
    pulled = [push(sizes=[300_000 * (number % 4 + 1)] * (number % 3 + 1)) for number in range(8)]
    for image in pulled:
        node.cli("prefetch", "--unpack", image.reference)
    wait_until(lambda: len(node.cli_json("report", "--pulls")) == len(pulled), "the records")
    fitted = node.cli_json("calibrate")[0]
    assert fitted["pulls"] == len(pulled) and fitted["median_error"] is not None
    assert fitted["coefficients"]["inflate_cpu_seconds_per_byte"] > 0
    # The same from the records' file, for another machine.
    lines = node.root / "records" / "records.jsonl"
    saved = tmp_path / "calibration.json"
    saved.write_text(json.dumps(json.loads(run(TOOL, "-o", "json", "calibrate", "--records", lines).stdout)))
    said = json.loads(run(TOOL, "-o", "json", "--address", "/nonexistent.sock", "analyze", "--calibration", saved,
                          "--path", "registry", pulled[0].reference).stdout)
    assert said["path"].startswith("registry") and said["model"]["pulls"] == len(pulled)
    explained = node.cli_json("explain", node.cli_json("report", "--pulls")[0]["pull_id"])[0]
    assert explained["model"]["total_ms"] > 0 and explained["model"]["measured_ms"] == pytest.approx(explained["pull_ms"], rel=0.2)
    assert "The pull-time model:" in node.cli("explain", explained["pull_id"]).stdout


def test_compare_measures_cold_pulls(registry, tmp_path, closing, push):
    node = closing(Pacelined(tmp_path / "node", {"snapshotter.enabled": True})).start()
    a, b = push(sizes=[2_000_000] * 3), push(sizes=[200_000])
    said = node.cli_json("compare", *PATH, "--measure", 2, a.reference, b.reference)[0]
    for side in ("a", "b"):
        measured = said[side]["measured"]
        assert len(measured["pulls"]) == 2 and measured["total_ms"] > 0
    assert said["a"]["compressed_bytes"] > said["b"]["compressed_bytes"]
    assert sum(factor["difference_ms"] for factor in said["factors"]) == pytest.approx(
        said["b"]["predicted"]["total_ms"] - said["a"]["predicted"]["total_ms"], abs=0.05)
    assert node.cli_json("status")[0]["usage"]["hidden_blobs"] == 0  # They are gone again.
    node.cli("prefetch", a.reference)
    refused = node.cli("compare", *PATH, "--measure", 1, a.reference, b.reference, check=False)
    assert refused.returncode == 1 and "a cold pull cannot be measured" in refused.stderr
    # What it has fetched before it saw that goes again, and nothing else does.
    kept = node.cli_json("status")[0]["usage"]["hidden_blobs"]
    both = image_of("both", [*a.image.layers, *b.image.layers])
    refused = node.cli("compare", *PATH, "--measure", 1, registry.push(both, "both"), b.reference, check=False)
    assert refused.returncode == 1 and "a cold pull cannot be measured" in refused.stderr
    assert node.cli_json("status")[0]["usage"]["hidden_blobs"] == kept
