"""A large image of Debian packages, as a serverless function's often is: a base, Python with its numeric stack, compilers, a JDK,
Go, TeX. With the packages of one day it is the same byte for byte.

usage: python3 -m harness.debian_image [--small] FOLDER      makes FOLDER/0.tar.gz … (bottom first) and FOLDER/layers.json, once
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

from .images import Layer

# Bottom first; only what is unpacked matters, so no dependency is followed.
LAYERS = {
    "base": "base-files bash coreutils dash debianutils libc6 libc-bin util-linux perl-base libperl5.36 perl-modules-5.36 tar gzip "
            "dpkg apt passwd login mount sudo iputils-ping findutils grep sed busybox-static",
    "python": "python3.11-minimal libpython3.11-minimal libpython3.11-stdlib python3-numpy python3-scipy python3-pandas "
              "python3-pandas-lib python3-matplotlib python3-sklearn python3-sklearn-lib python3-sympy libopenblas0-pthread",
    "compilers": "gcc-12 cpp-12 g++-12 libstdc++-12-dev libgcc-12-dev libc6-dev libboost1.74-dev libicu-dev llvm-14-dev libllvm14 "
                 "libclang-cpp14",
    "jdk": "openjdk-17-jre-headless openjdk-17-jdk-headless",
    "go": "golang-1.19-go golang-1.19-src libnode108",
    "tex": "texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended",
    "data": "breeze-icon-theme adwaita-icon-theme python3-django iso-codes tzdata libqt5gui5 libavcodec59 ffmpeg",
}
SMALL = {"base": "base-files bash coreutils dash libc6 libc-bin perl-base tar passwd login mount sudo iputils-ping busybox-static",
         "python": "python3.11-minimal libpython3.11-minimal libpython3.11-stdlib", "data": "tzdata iso-codes"}
KINDS = {"manifest": "application/vnd.oci.image.manifest.v1+json", "config": "application/vnd.oci.image.config.v1+json",
         "layer": "application/vnd.oci.image.layer.v1.tar+gzip"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def make_layer(folder, number, packages):
    """The packages' files with their owners, modes, hard links and capabilities, as one gzipped tar."""
    debs, root = folder / "debs", folder / "root"
    debs.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages], cwd=debs, check=True)
    for package in packages:
        deb, = debs.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "--extract", deb, root], check=True)
        deb.unlink()
    ping = root / "bin" / "ping"
    if ping.exists():  # What its package's installation would set.
        subprocess.run(["setcap", "cap_net_raw+ep", ping], check=True)
    if (root / "bin" / "busybox").exists():
        hello, times = root / "bin" / "hello", (root / "bin").stat()
        hello.write_text("#!/bin/busybox sh\necho hello from Debian\n")
        hello.chmod(0o755)
        for path in (hello, hello.parent):  # The same at any time.
            os.utime(path, ns=(times.st_mtime_ns, times.st_mtime_ns))
    partial = folder / f"{number}.tar.gz.part"
    with open(partial, "wb") as out:
        tar = subprocess.Popen(["tar", "-C", root, "--numeric-owner", "--sort=name", "--xattrs", "--xattrs-include=*",
                                "--format=pax", "--pax-option=delete=atime,delete=ctime", "-cf", "-", "."], stdout=subprocess.PIPE)
        subprocess.run(["gzip", "-6", "-n"], stdin=tar.stdout, stdout=out, check=True)
        if tar.wait() != 0:
            raise RuntimeError("tar failed")
    shutil.rmtree(root)
    partial.rename(folder / f"{number}.tar.gz")


def describe(path):
    """What image and table need to know of a layer."""
    unzip = subprocess.Popen(["gzip", "-dc", path], stdout=subprocess.PIPE)
    listing = subprocess.Popen(["tar", "-tf", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    diff_id, size = hashlib.sha256(), 0
    entries = []
    count = threading.Thread(target=lambda: entries.append(sum(1 for _ in listing.stdout)))
    count.start()
    while chunk := unzip.stdout.read(1 << 20):
        diff_id.update(chunk)
        listing.stdin.write(chunk)
        size += len(chunk)
    listing.stdin.close()
    count.join()
    data = path.read_bytes()
    return {"file": path.name, "digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data),
            "diff_id": "sha256:" + diff_id.hexdigest(), "uncompressed": size, "entries": entries[0]}


def make(folder, layers=None):
    """The layers' descriptions, bottom first; made at the first call, which takes minutes for the large image."""
    folder = pathlib.Path(folder)
    known = folder / "layers.json"
    if not known.exists():
        folder.mkdir(parents=True, exist_ok=True)
        described = []
        for number, (name, packages) in enumerate((layers or LAYERS).items()):
            if not (folder / f"{number}.tar.gz").exists():
                say(f"layer {number}, {name}: {len(packages.split())} packages …")
                make_layer(folder, number, packages.split())
            described.append(describe(folder / f"{number}.tar.gz"))
        known.write_text(json.dumps(described, indent=1))
        shutil.rmtree(folder / "debs", ignore_errors=True)
    return json.loads(known.read_text())


class DebianImage:
    """As the registry harness pushes it."""

    def __init__(self, folder, layers=None):
        self.described = make(folder, layers)
        self.folder = pathlib.Path(folder)
        self.config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin:/usr/bin"], "Cmd": ["/bin/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["diff_id"] for layer in self.described]}}).encode()
        sha = lambda data: "sha256:" + hashlib.sha256(data).hexdigest()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": KINDS["manifest"],
            "config": {"mediaType": KINDS["config"], "digest": sha(self.config), "size": len(self.config)},
            "layers": [{"mediaType": KINDS["layer"], "digest": layer["digest"], "size": layer["size"]} for layer in self.described],
        }).encode()
        self.manifests = [(KINDS["manifest"], manifest)]
        self.digest = sha(manifest)

    @property
    def manifest(self):
        return self.manifests[0][1]

    @property
    def blobs(self):
        return {"sha256:" + hashlib.sha256(self.config).hexdigest(): self.config} | {each.digest: each.data for each in self.layers}

    @property
    def layers(self):
        """Bottom first, read anew each time: they are large."""
        return [Layer((self.folder / each["file"]).read_bytes(), each["diff_id"]) for each in self.described]

    @property
    def files(self):
        return [self.folder / layer["file"] for layer in self.described]

    def __str__(self):
        total = lambda key: sum(layer[key] for layer in self.described)
        return (f"{len(self.described)} layers, {total('size') / 1e6:.0f} MB gzip, {total('uncompressed') / 1e6:.0f} MB, "
                f"{total('entries')} entries")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--small", action="store_true", help="three layers, some 20 MB")
    options.add_argument("folder")
    chosen = options.parse_args()
    print(DebianImage(chosen.folder, SMALL if chosen.small else None))
