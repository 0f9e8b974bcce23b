"""The engine's layers are containerd's: a torture image, what GNU tar makes and an image of Debian packages, unpacked by both, each layer's own folder
and the mounted whole compared entry by entry."""

import contextlib
import gzip
import io
import os
import pathlib
import subprocess
import tarfile
import time

import pytest

from harness.containerd import Containerd
from harness.debian_image import SMALL, DebianImage
from harness.images import Layer, digest_of, image_of
from harness.processes import run
from harness.trees import describe, differences
from harness.versions import ROOT

BENCH = pathlib.Path(os.environ.get("PACELINE_UNPACK_BENCH",
                                    pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/unpack_bench"))
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw=p
ACL = bytes.fromhex("02000000" "01000700ffffffff" "02000500e8030000" "04000500ffffffff" "10000500ffffffff" "20000500ffffffff")
OLD = 1_500_000_000


class Tar:
    """Entries of a layer, as awkward as the formats allow."""

    def __init__(self, tar_format=tarfile.PAX_FORMAT):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=tar_format)
        self.count = 0

    def add(self, name, kind=tarfile.REGTYPE, content=b"", mode=0o644, uid=0, gid=0, mtime=None, link="", device=(0, 0),
            xattrs=None):
        entry = tarfile.TarInfo(name)
        self.count += 1
        entry.type, entry.mode, entry.uid, entry.gid, entry.linkname = kind, mode, uid, gid, link
        entry.mtime = OLD + self.count if mtime is None else mtime
        entry.devmajor, entry.devminor = device
        entry.size = len(content)
        for key, value in (xattrs or {}).items():
            entry.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
        self.tar.addfile(entry, io.BytesIO(content) if content else None)
        return self

    def folder(self, name, mode=0o755, **options):
        return self.add(name, tarfile.DIRTYPE, mode=mode, **options)

    def symlink(self, name, link, **options):
        return self.add(name, tarfile.SYMTYPE, link=link, mode=0o777, **options)

    def hard_link(self, name, link, **options):
        return self.add(name, tarfile.LNKTYPE, link=link, **options)

    def layer(self, compress=True):
        self.tar.close()
        raw = self.bytes.getvalue()
        half = len(raw) // 2  # Two members, as pigz and estargz make many.
        data = gzip.compress(raw[:half], 6, mtime=0) + gzip.compress(raw[half:], 1, mtime=0)
        return Layer(data if compress else raw, digest_of(raw))


def torture_layers():
    bottom = (Tar()
              .folder("./", mode=0o700, uid=77)
              .folder("usr").folder("usr/lib", mode=0o711, uid=3, gid=4, xattrs={"user.origin": b"bottom"})
              .symlink("lib", "usr/lib").add("lib/through", content=b"through a link")
              .symlink("abs", "/usr/lib").add("abs/absolute", content=b"a")
              .symlink("dangling", "not/here").add("dangling/made", content=b"m")
              .add("implied/deep/er/file", content=b"f")
              .add("suid", content=b"s", mode=0o4755, uid=5).add("sgid", content=b"s", mode=0o2755, gid=6)
              .add("all", content=b"x", mode=0o7777, uid=1, gid=1)
              .add("closed", content=b"x", mode=0)
              .folder("sticky", mode=0o1777).folder("setgid", mode=0o2775, gid=50).add("setgid/file", content=b"x")
              .folder("setgid/sub")
              .add("cap", content=b"c", mode=0o755, xattrs={"security.capability": CAPABILITY, "user.k": b"v\n=\0w"})
              .add("owned-cap", content=b"c", mode=0o755, uid=9, xattrs={"security.capability": CAPABILITY})
              .add("acl", content=b"c", mode=0o755, xattrs={"system.posix_acl_access": ACL})
              .add("trusted", content=b"t", xattrs={"trusted.overlay.opaque": b"y", "user.empty": b""})
              .folder("acl-default", xattrs={"system.posix_acl_default": ACL})
              .add("acl-default/file", content=b"x", mode=0o640).folder("acl-default/sub", mode=0o750)
              .add("times", content=b"t", mtime=1234567890.123456789).add("before-1970", mtime=-1000.5)
              .add("far", mtime=1 << 40)
              .add("null", tarfile.CHRTYPE, mode=0o666, device=(1, 3)).add("disk", tarfile.BLKTYPE, mode=0o660, device=(8, 0))
              .add("fifo", tarfile.FIFOTYPE, mode=0o622, uid=2)
              .hard_link("suid-link", "suid", mode=0o4711, uid=8)
              .hard_link("cap-link", "cap", mode=0o755)
              .symlink("s", "nowhere", uid=4).hard_link("s-link", "s")
              .add("n" * 255).add("/".join(["long" * 20] * 10), content=b"long")
              .symlink("long-link", "x" * 300)
              .add("uni-é-ß-漢", content="ü".encode()).add("sp ace\ttab", content=b"x")
              .add("twice", content=b"first").add("twice", content=b"second", mode=0o600)
              .folder("was-folder").add("was-folder/x").add("was-folder", content=b"now a file")
              .add("was-file").folder("was-file").add("was-file/y", content=b"y")
              .symlink("was-link", "usr").folder("was-link").add("was-link/z", content=b"z")
              .folder("again", mode=0o700).add("again/x").folder("again", mode=0o711, uid=12)
              .add("removed/by/whiteout").add("removed/.wh.by").add(".wh.never-there")
              .folder("opaque").add("opaque/kept").add("opaque/implied/lost").add("opaque/.wh..wh..opq")
              .add("big", content=bytes(range(256)) * 8192)
              .add("gone", content=b"1").folder("hidden").add("hidden/a").folder("replaced").add("replaced/a")
              .folder("merged", mode=0o700, uid=1).add("merged/a", content=b"below").folder("parent", mode=0o750, uid=21)
              .folder("parent/child", mode=0o705, gid=22, xattrs={"user.c": b"d"}))
    middle = (Tar(tarfile.GNU_FORMAT)
              .add("lib/own", content=b"hides the link")
              .add(".wh.gone").folder("hidden").add("hidden/.wh..wh..opq").add("hidden/b", content=b"b")
              .add("replaced", content=b"a file now").folder("merged", mode=0o755).add("merged/b")
              .add("merged/.wh.a", uid=5).add("merged/" + "g" * 150 + "/" + "h" * 120, content=b"gnu long name")
              .symlink("gnu-link", "y" * 250).add("parent/child/new", content=b"n")
              .add("dir-over-file/x").add("base256", uid=3_000_000, gid=4_000_000))
    top = (Tar()
           .add("parent/child/deeper/x", content=b"x").folder("parent", mode=0o711)
           .add("opaque-only/.wh..wh..opq").folder("replaced").add("replaced/c")
           .add("usr/lib/.wh.through").add("new", content=b"n").hard_link("new-link", "new", mode=0o604)
           .add("last/.wh..wh..opq").add("last/x"))
    return [bottom.layer(), middle.layer(), top.layer(compress=False)]


def archive(*arguments):
    return subprocess.run(["tar", "--numeric-owner", "-cf", "-", *arguments], check=True, capture_output=True).stdout


def gnu_tar_layers(tmp_path):
    """What GNU tar makes itself: sparse files in each of its formats, old archives, hard links, real files."""
    source = tmp_path / "source"
    source.mkdir()
    with open(source / "sparse", "wb") as file:
        for at in range(0, 40):
            file.seek(at * 100_000)
            file.write(b"%d" % at)
        file.truncate(5_000_000)
    with open(source / "only-hole", "wb") as file:
        file.truncate(300_000)
    os.link(source / "sparse", source / "sparse-link")
    layers = []
    formats = (["--format=pax", "--sparse-version=0.0"], ["--format=pax", "--sparse-version=0.1"],
               ["--format=pax", "--sparse-version=1.0"], ["--format=v7"], ["--format=oldgnu"], ["--format=ustar"])
    for index, options in enumerate(formats):
        sparse = ["--sparse"] if "pax" in options[0] else []
        raw = archive("-C", source, *options, *sparse, "--transform", f"s,^\\.,./f{index},", ".")
        layers.append(Layer(gzip.compress(raw, 1, mtime=0), digest_of(raw)))
    real = archive("-C", "/", "--xattrs", "--xattrs-include=*", "--acls", "usr/bin/perl", "usr/share/perl",
                   "usr/lib/x86_64-linux-gnu/perl-base", "usr/share/doc/perl")
    layers.append(Layer(gzip.compress(real, 1, mtime=0), digest_of(real)))
    return layers


@contextlib.contextmanager
def mounted(folders, at):
    """A read-only overlay of `folders`, bottom first, as containerd mounts a view."""
    at.mkdir()
    if len(folders) == 1:
        run("mount", "--bind", folders[0], at)
    else:
        run("mount", "-t", "overlay", "overlay", "-o", "lowerdir=" + ":".join(str(f) for f in reversed(folders)), at)
    try:
        yield at
    finally:
        run("umount", at)


def snapshot_folders(containerd, count):
    """The upper directories of an image's snapshots; a private containerd numbers them from the bottom."""
    snapshots = containerd.root / "io.containerd.snapshotter.v1.overlayfs" / "snapshots"
    folders = [path / "fs" for path in sorted(snapshots.iterdir(), key=lambda path: int(path.name))]
    assert len(folders) == count
    return folders


def layers_of(kind, tmp_path):
    if kind == "torture":
        return torture_layers()
    if kind == "gnu-tar":
        return gnu_tar_layers(tmp_path)
    # PACELINE_DEBIAN: the folder of a larger one, as the benchmarks use.
    return DebianImage(os.environ.get("PACELINE_DEBIAN", ROOT / "build" / "bench" / "debian-small"), SMALL).layers


@pytest.mark.parametrize("kind", ["torture", "gnu-tar", "debian"])
def test_layers_are_those_containerd_makes(version, registry, closing, tmp_path, kind):
    layers = layers_of(kind, tmp_path)
    image = image_of(f"fidelity-{kind}-{version.suite}", layers)
    reference = registry.push(image, f"fidelity/{kind}/{version.suite}")
    started = time.time_ns() - 1_000_000_000
    containerd = closing(Containerd(version, tmp_path / "containerd"))
    containerd.start()
    containerd.pull(reference, local=True)
    theirs = snapshot_folders(containerd, len(layers))

    blobs = []
    for index, layer in enumerate(layers):
        blobs.append(tmp_path / f"layer-{index}")
        blobs[-1].write_bytes(layer.data)
    ours = tmp_path / "ours"
    printed = subprocess.run([BENCH, ours, *blobs], check=True, capture_output=True, text=True).stdout
    assert [line.split()[1] for line in printed.splitlines() if line.startswith("diff_id")] == [l.diff_id for l in layers]

    for index, folder in enumerate(theirs):
        expected, found = describe(folder), describe(ours / str(index))
        assert differences(expected, found, started) == [], f"layer {index}"
    with mounted(theirs, tmp_path / "view-theirs") as expected, \
            mounted([ours / str(index) for index in range(len(layers))], tmp_path / "view-ours") as found:
        assert differences(describe(expected), describe(found), started) == []
