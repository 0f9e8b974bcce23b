"""Builds Containerfiles with buildah: no daemon, no registry, a storage of its own.

    builder = Builder(folder)
    builder.base("debian:bookworm")                           # FROM localhost/paceline/debian:bookworm
    builder.build(containerfile, context, "localhost/my:1")
    builder.push("localhost/my:1", "127.0.0.1:5000/my:1")     # or .export("localhost/my:1", "layout")

`apt-get` works in RUN instructions: the machine's own archives are mounted there while a build runs, and the packages are kept in
`folder` for the next build; neither becomes a part of the image. One process at a time works with a folder; its threads may build
side by side.
"""

import contextlib
import fcntl
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import uuid

from . import debian

PREFIX = "localhost/paceline/"
EPOCH = 1_700_000_000  # The time of every file and image, so that the same build has the same digests.


class BuildFailed(Exception):
    """With the end of what buildah said."""


class Builder:
    def __init__(self, folder, say=print):
        self.folder, self.say = pathlib.Path(folder), say
        self.folder.mkdir(parents=True, exist_ok=True)
        self._free, self._folders = [], 0  # folders of packages that no build uses: apt locks the one it works with
        self._lock = threading.Lock()
        self._policy = self.folder / "policy.json"
        self._policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        self._global = ["--root", self.folder / "storage", "--runroot", self.folder / "run", "--storage-driver", _driver(self.folder)]

    @contextlib.contextmanager
    def alone(self):
        """Holds the folder against other processes."""
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def base(self, name):
        """The tag of a base that debian.py knows, which is made at the first call. Not by two threads at once."""
        tag = PREFIX + name
        if name in debian.CONTAINERFILES:
            containerfile = debian.CONTAINERFILES[name]
            return self.build(containerfile, containerfile.parent, tag)
        if not self.has(tag):
            self.say(f"making base {name}")
            context = self.folder / f"base-{name.replace(':', '-')}"
            shutil.rmtree(context, ignore_errors=True)  # a killed process's
            context.mkdir()
            debian.BASES[name](context / "root.tar")
            (context / "Containerfile").write_text('FROM scratch\nADD root.tar /\nCMD ["sh"]\n')
            self.build(context / "Containerfile", context, tag)
            shutil.rmtree(context)
        return tag

    def has(self, tag):
        return self._buildah("inspect", "--type", "image", tag, check=False).returncode == 0

    def build(self, containerfile, context, tag):
        """Builds a Containerfile; steps that were built before, for whatever image, are taken from the cache."""
        with self._archives() if "apt-get" in pathlib.Path(containerfile).read_text() else contextlib.nullcontext(()) as mounts:
            self._buildah("bud", "--isolation", "chroot", "--format", "docker", "--layers", "--pull-never", "--timestamp", EPOCH,
                          "--signature-policy", self._policy, *mounts, "--tag", tag, "--file", containerfile, context)
        return tag

    @contextlib.contextmanager
    def _archives(self):
        """Options that bring apt's archives and a folder of packages into a build."""
        with self._lock:
            folder = self._free.pop() if self._free else self._new_packages()
        try:
            yield ["--volume", f"{folder}/sources.list:/etc/apt/sources.list:ro", "--volume", f"{folder}/archives:/var/cache/apt/archives"]
        finally:
            with self._lock:
                self._free.append(folder)

    def _new_packages(self):
        self._folders += 1
        folder = self.folder / "packages" / str(self._folders)
        (folder / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text(debian.sources())
        return folder

    def run(self, tag, argv):
        """What a command in a container of the image prints."""
        name = f"check-{uuid.uuid4().hex[:8]}"
        self._buildah("from", "--pull-never", "--signature-policy", self._policy, "--name", name, tag)
        try:
            return self._buildah("run", "--isolation", "chroot", name, "--", *argv).stdout
        finally:
            self._buildah("rm", name)

    def push(self, tag, reference):
        """To a registry without a certificate; returns the manifest's digest."""
        return self._push(tag, f"docker://{reference}", "--tls-verify=false", "--format", "v2s2")

    def export(self, tag, folder, name="latest"):
        """As an OCI layout; returns the manifest's digest."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        return self._push(tag, f"oci:{folder}:{name}", "--format", "oci")

    def _push(self, tag, target, *options):
        digest = self.folder / f"digest-{uuid.uuid4().hex[:8]}"
        try:
            self._buildah("push", "--signature-policy", self._policy, "--digestfile", digest, *options, tag, target)
            return digest.read_text().strip()
        finally:
            digest.unlink(missing_ok=True)

    def prune(self):
        """Removes every image and cached step; what was pushed or exported stays."""
        shutil.rmtree(self.folder / "storage", ignore_errors=True)

    def _buildah(self, *arguments, check=True):
        argv = [str(word) for word in ("buildah", *self._global, *arguments)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if check and done.returncode != 0:
            raise BuildFailed(f"{' '.join(argv)}\nended with {done.returncode}\n{(done.stdout + done.stderr)[-6000:]}")
        return done


def _driver(folder):
    """overlay where it can be mounted, as one layer over another costs nothing there; otherwise vfs, which copies."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        lower, upper, work, merged = (pathlib.Path(scratch) / name for name in ("lower", "upper", "work", "merged"))
        for path in (lower, upper, work, merged):
            path.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], capture_output=True).returncode != 0:
            return "vfs"
        subprocess.run(["umount", merged], check=True)
        return "overlay"
