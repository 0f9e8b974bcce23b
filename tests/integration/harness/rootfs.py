"""A root file system changed step by step, each step a layer: what a container build does, with dpkg on Debian's own packages.

    root = RootFs(folder)
    root.install("zlib1g", "hello")      # by dpkg, with its database
    base = root.commit()                 # a Layer: what has changed since the last one, removals as whiteouts
"""

import gzip
import io
import os
import pathlib
import shutil
import stat
import tarfile

from .images import Layer, digest_of
from .processes import run

DPKG = ["--force-depends", "--force-script-chrootless", "--force-not-root", "--no-triggers"]


class RootFs:
    """Packages without maintainer scripts only: nothing runs inside of it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "root"
        database = self.path / "var" / "lib" / "dpkg"
        for name in ("info", "updates", "triggers"):
            (database / name).mkdir(parents=True)
        (database / "status").touch()
        self._before = {}

    def install(self, *packages):
        debs = self.folder / "debs"
        debs.mkdir()
        run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages, cwd=debs, timeout=300)
        self._dpkg("--install", *sorted(debs.iterdir()))
        shutil.rmtree(debs)

    def purge(self, *packages):
        self._dpkg("--purge", *packages)

    def query(self, *arguments):
        return run("dpkg-query", f"--admindir={self.path}/var/lib/dpkg", *arguments).stdout

    def write(self, name, content):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def _dpkg(self, *arguments):
        run("dpkg", f"--root={self.path}", *DPKG, *arguments)

    def commit(self):
        now = self._look()
        gone = [name for name in self._before if name not in now]
        # What is in a folder that is gone goes along with it.
        gone = [name for name in gone if os.path.dirname(name) not in gone]
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(now):
                if self._before.get(name) != now[name]:
                    tar.add(self.path / name, name, recursive=False)
            for name in sorted(gone):
                folder, _, last = name.rpartition("/")
                tar.addfile(tarfile.TarInfo(f"{folder}/.wh.{last}" if folder else f".wh.{last}"))
        self._before = now
        raw = buffer.getvalue()
        return Layer(gzip.compress(raw, compresslevel=6, mtime=0), digest_of(raw))

    def _look(self):
        seen = {}
        for folder, folders, files in os.walk(self.path):
            for name in folders + files:
                path = pathlib.Path(folder, name)
                info = path.lstat()
                is_folder = stat.S_ISDIR(info.st_mode)
                seen[str(path.relative_to(self.path))] = (info.st_mode, None if is_folder else (info.st_size, info.st_mtime_ns, info.st_ino))
        return seen
