"""Base images, made here: Debian 12 as its official images are cut, from the archives that this machine's apt knows."""

import pathlib
import subprocess
import tarfile

from harness.processes import run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TARGETS = "$(LABEL)|$(REPO_URI)|$(RELEASE)"
# As the official images have it: packages are unpacked without waiting for the disk, and apt leaves no caches of its own in a layer.
EVERY = ["--dpkgopt=force-unsafe-io", '--aptopt=Dir::Cache::pkgcache ""', '--aptopt=Dir::Cache::srcpkgcache ""',
         '--aptopt=Acquire::Languages "none"']
# What the official slim image leaves out, now and when more is installed on it.
SLIM = [f"--dpkgopt=path-{rule}" for rule in (
    "exclude=/usr/share/doc/*", "include=/usr/share/doc/*/copyright", "exclude=/usr/share/man/*", "exclude=/usr/share/info/*",
    "exclude=/usr/share/groff/*", "exclude=/usr/share/lintian/*", "exclude=/usr/share/locale/*")]


def sources():
    """sources.list of Debian 12 for inside an image: this machine's archives, Debian's own keys."""
    found = run("apt-get", "indextargets", "--format", TARGETS, "Created-By: Packages", "Component: main").stdout
    lines = [line.split("|") for line in found.splitlines()]
    kept = [f"deb [signed-by={KEYRING}] {uri} {release} main\n" for label, uri, release in lines
            if label.startswith("Debian") and release.startswith("bookworm")]
    if not kept:
        raise SystemExit("apt knows no archive of Debian 12: run apt-get update")
    return "".join(dict.fromkeys(kept))


def _bootstrap(tar, options):
    listed = tar.with_suffix(".list")
    listed.write_text(sources())
    # No archive is named in the image: a build brings the machine's (build.py).
    forget = 'rm -f "$1"/etc/apt/sources.list.d/*; : > "$1/etc/apt/sources.list"'
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--skip=output/dev", f"--customize-hook={forget}", *EVERY,
                    *options, "bookworm", tar, listed], check=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SOURCE_DATE_EPOCH": "0"})
    listed.unlink()


def _busybox(tar):
    """For images that take no time: this machine's static busybox and nothing else."""
    with tarfile.open(tar, "w") as out:
        for folder in ("bin", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            out.addfile(entry)
        program = pathlib.Path("/bin/busybox")
        entry = tarfile.TarInfo("bin/busybox")
        entry.mode, entry.size = 0o755, program.stat().st_size
        with open(program, "rb") as file:
            out.addfile(entry, file)
        for name in ("sh", "cat", "head", "mkdir", "seq", "sha256sum"):
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            out.addfile(entry)


# Name → what it is built from; later ones may stand on earlier ones and on BASES.
CONTAINERFILES = {"python-runtime:latest": pathlib.Path(__file__).with_name("functions") / "runtime" / "Containerfile"}

# Name → what writes its root file system into a tar.
BASES = {
    "debian:bookworm": lambda tar: _bootstrap(tar, []),
    "debian:bookworm-slim": lambda tar: _bootstrap(tar, SLIM),
    "busybox:latest": _busybox,
}
