#!/usr/bin/python3
"""The fuzzers' seeds: small archives with one of everything, in every format, and the framings around them.

usage: make_corpus.py FOLDER      fills FOLDER/tar, FOLDER/decoder and FOLDER/apply
"""

import gzip
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile

FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
ENTRIES = [
    ("./", tarfile.DIRTYPE, "", b""), ("usr/lib/", tarfile.DIRTYPE, "", b""), ("lib", tarfile.SYMTYPE, "usr/lib", b""),
    ("lib/file", tarfile.REGTYPE, "", b"content" * 100), ("hard", tarfile.LNKTYPE, "usr/lib/file", b""),
    ("below", tarfile.LNKTYPE, "usr/lib/below", b""), ("up", tarfile.SYMTYPE, "../..", b""), ("up/secret", tarfile.REGTYPE, "", b"x"),
    ("null", tarfile.CHRTYPE, "", b""), ("loop", tarfile.BLKTYPE, "", b""), ("pipe", tarfile.FIFOTYPE, "", b""),
    ("usr/lib/.wh.below", tarfile.REGTYPE, "", b""), ("opaque/.wh..wh..opq", tarfile.REGTYPE, "", b""),
]


def archive(tar_format, entries, **attributes):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as tar:
        for name, kind, link, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size, entry.mtime, entry.mode = kind, link, len(content), 1_600_000_000, 0o755
            entry.devmajor, entry.devminor = (1, 3) if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE) else (0, 0)
            entry.pax_headers = dict(attributes.get("pax", {}))
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue().rstrip(b"\0") + bytes(1024)


def aligned(data):
    return data + bytes(-len(data) % 512)


def archives():
    for name, tar_format in FORMATS.items():
        yield name, aligned(archive(tar_format, ENTRIES))
    long = [("d/" * 60 + "x" * 90, tarfile.REGTYPE, "", b"long"), ("l", tarfile.SYMTYPE, "y" * 200, b"")]
    yield "long-pax", aligned(archive(tarfile.PAX_FORMAT, long))
    yield "long-gnu", aligned(archive(tarfile.GNU_FORMAT, long))
    records = {"SCHILY.xattr.user.key": "value", "mtime": "1600000000.123456789", "uid": "3000000"}
    yield "records", aligned(archive(tarfile.PAX_FORMAT, ENTRIES[3:5], pax=records))
    yield "large-ids", aligned(archive(tarfile.GNU_FORMAT, [ENTRIES[3]]))
    with tempfile.TemporaryDirectory() as folder:
        with open(pathlib.Path(folder) / "sparse", "wb") as file:
            for number in range(30):  # More than one block of GNU's map.
                file.seek(number * 20_000)
                file.write(b"%d" % number)
        for name, options in {"sparse-0.0": ["--format=pax", "--sparse-version=0.0"], "sparse-0.1": ["--format=pax", "--sparse-version=0.1"],
                              "sparse-1.0": ["--format=pax", "--sparse-version=1.0"], "sparse-old": ["--format=oldgnu"],
                              "v7": ["--format=v7"]}.items():
            sparse = [] if name == "v7" else ["--sparse"]
            target = "/dev/null" if name == "v7" else "sparse"
            source = ["-C", "/etc", "hostname"] if name == "v7" else ["-C", folder, target]
            yield name, subprocess.run(["tar", *options, *sparse, "--numeric-owner", "-cf", "-", *source],
                                       check=True, capture_output=True).stdout


def framings(data):
    plain = gzip.compress(data, 6, mtime=0)
    flagged = plain[:3] + b"\x1e" + plain[4:10] + b"\x03\x00abc" + b"name\0" + b"comment\0" + b"\x00\x00" + plain[10:]
    yield "gzip", plain
    yield "gzip-members", gzip.compress(data[:100], 1, mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(data[100:], 9, mtime=0)
    yield "gzip-flags", flagged
    yield "gzip-stored", gzip.compress(data[:2000], 0, mtime=0)
    frame = lambda *options: subprocess.run(["zstd", "-q", "-c", *options], input=data, check=True, capture_output=True).stdout
    yield "zstd", frame("--check")
    yield "zstd-frames", frame("-1", "--no-check") + b"\x53\x2a\x4d\x18\x03\x00\x00\x00xyz" + frame("-19")
    yield "plain", data[:1000]


def main(folder):
    made = dict(archives())
    seeds = {"tar": made, "decoder": dict(framings(made["pax"])),
             "apply": made | {name: data for name, data in framings(made["gnu"]) if name != "plain"}}
    for target, files in seeds.items():
        directory = pathlib.Path(folder) / target
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (directory / name).write_bytes(data + b"\x02")  # The last byte is what the fuzzer chooses beside the blob.


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
