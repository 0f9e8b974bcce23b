"""What a bench writes to: a file system that nobody else uses."""

import subprocess

SIZE = "16G"


class FileSystem:
    """A fresh one, mounted; ext4 in a file of the working folder's disk, whatever that has: overlayfs needs no overlay below it."""

    def __init__(self, kind, work):
        self.kind, self.mount, self.image = kind, work / kind, work / f"{kind}.img"
        self.mount.mkdir()
        if kind == "tmpfs":
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", self.mount], check=True)
        else:
            subprocess.run(["truncate", "--size", SIZE, self.image], check=True)
            subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image], check=True)
            subprocess.run(["mount", "-o", "loop", self.image, self.mount], check=True)

    def close(self):
        subprocess.run(["umount", self.mount], check=False)
        self.image.unlink(missing_ok=True)
