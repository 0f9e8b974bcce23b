"""A file tree as data, to compare two of them entry by entry."""

import hashlib
import os
import stat


def describe(root):
    """{path: attributes} of all below `root`, but not of `root`; hard links are told by the first path to their file."""
    first_path = {}
    entries = {}
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root)
            info = os.lstat(path)
            entry = {"type": stat.S_IFMT(info.st_mode), "mode": stat.S_IMODE(info.st_mode), "uid": info.st_uid,
                     "gid": info.st_gid, "mtime": info.st_mtime_ns, "xattrs": _xattrs(path)}
            if stat.S_ISREG(info.st_mode):
                entry["size"] = info.st_size
                entry["sha256"] = _sha256(path)
            if stat.S_ISLNK(info.st_mode):
                entry["target"] = os.readlink(path)
            if stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
                entry["device"] = (os.major(info.st_rdev), os.minor(info.st_rdev))
            if not stat.S_ISDIR(info.st_mode):
                entry["same_as"] = first_path.setdefault((info.st_dev, info.st_ino), relative)
            entries[relative] = entry
    return entries


def differences(expected, found, unpacked_since_ns):
    """Lines that name what differs. A folder's time is compared only where `expected` has it from an archive, that is,
    from before the unpack."""
    lines = [f"missing: {path}" for path in expected if path not in found]
    lines += [f"too much: {path}" for path in found if path not in expected]
    for path, entry in expected.items():
        for key, value in entry.items():
            other = found.get(path, entry).get(key)
            if key == "mtime" and value >= unpacked_since_ns:
                continue
            if other != value:
                lines.append(f"{path}: {key} is {other!r}, not {value!r}")
    return lines


def _xattrs(path):
    names = os.listxattr(path, follow_symlinks=False)
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in sorted(names)}


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
