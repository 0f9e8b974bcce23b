"""A clean Debian 12 to install packages into: an overlay over a cached root, in a mount namespace, so that nothing is left."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness.processes import Process, run  # noqa: E402

CACHE = ROOT / "build" / "clean-debian"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def base():
    run(ROOT / "tests" / "packaging" / "clean_debian.sh", CACHE, timeout=900)
    return CACHE / "root"


class Debian:
    """What apt downloads is kept for the next one, since the archive is not what is tested; its lists are as new as this run."""

    lists_are_new = False

    def __init__(self, directory):
        lower, self.directory = base(), pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        for kept in ("archives", "lists"):
            (CACHE / kept / "partial").mkdir(parents=True, exist_ok=True)
        self.files = self.directory / "root"
        script = (f"mount -t tmpfs none {self.directory} && cd {self.directory} && mkdir upper work root packages && "
                  f"mount -t overlay -o lowerdir={lower},upperdir=upper,workdir=work none root && "
                  "mount -t proc none root/proc && mount --rbind /dev root/dev && "
                  f"mount --bind {CACHE}/archives root/var/cache/apt/archives && "
                  f"mount --bind {CACHE}/lists root/var/lib/apt/lists && mkdir root/packages && touch ready && "
                  "exec sleep infinity")
        self.holder = Process(["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                              self.directory.parent / f"{self.directory.name}.log")
        self.holder.wait_until(lambda: self.seen(self.directory / "ready").exists(), "the clean Debian")
        if not Debian.lists_are_new:
            self.run("apt-get", "-q", "update")
            Debian.lists_are_new = True

    def seen(self, path):
        """A path inside the namespace, as seen from here."""
        return pathlib.Path(f"/proc/{self.holder.pid}/root{path}")

    def path(self, path):
        return self.seen(f"{self.files}{path}")

    def run(self, *argv, check=True):
        return run("nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--", "chroot", self.files, *argv, check=check,
                   timeout=600, env=ENVIRONMENT, stdin=subprocess.DEVNULL)

    def apt(self, *arguments, check=True):
        return self.run("apt-get", "-y", "-q", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", *arguments,
                        check=check)

    def install(self, package, check=True):
        self.path(f"/packages/{package.name}").write_bytes(package.read_bytes())
        return self.apt("install", "--allow-downgrades", f"/packages/{package.name}", check=check)

    def read(self, path):
        return self.path(path).read_text()

    def write(self, path, text):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def files_below(self, *folders):
        """path → text, of whatever is configured there."""
        return {str(file.relative_to(self.path("/"))): file.read_text() for folder in folders
                for file in sorted(self.path(folder).rglob("*")) if file.is_file()}

    def named(self, word):
        """All paths with the word in their name, but for what apt and dpkg write about every package."""
        found = self.run("find", "/", "-xdev", "-name", f"*{word}*", "-not", "-path", "/packages/*",
                         "-not", "-path", "/var/cache/apt/*", "-not", "-path", "/proc/*").stdout
        return sorted(found.split())

    def close(self):
        self.holder.kill()
