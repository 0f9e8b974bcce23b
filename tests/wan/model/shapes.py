"""Images of several shapes, the same byte for byte on every machine: files of text, of code and of noise, in sizes as packages have
them."""

import dataclasses
import functools
import io
import gzip
import random
import tarfile

from harness.images import Layer, digest_of, image_of

MB = 1_000_000
POOL = 6 * MB


@dataclasses.dataclass(frozen=True)
class Part:
    """A layer: so many files of so many bytes together. `kind`: text (gzip makes a quarter of it), code (half), noise (all)."""
    kind: str
    files: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    fitted: bool  # The model is fitted to its pulls; else its pulls are predicted.
    parts: tuple

    @property
    def image_name(self):
        return f"model-{self.name}"


SHAPES = (
    Shape("base", True, (Part("code", 4000, 60 * MB),)),
    Shape("few-files", True, (Part("code", 200, 10 * MB), Part("text", 300, 12 * MB), Part("code", 100, 8 * MB))),
    Shape("small-files", True, (Part("text", 12000, 16 * MB), Part("text", 9000, 12 * MB))),
    Shape("with-model", True, (Part("code", 2000, 24 * MB), Part("noise", 1, 20 * MB))),
    Shape("twenty-layers", True, (Part("text", 60, 3 * MB), Part("code", 40, 2 * MB)) * 10),
    Shape("function", False, (Part("code", 3500, 60 * MB), Part("text", 1200, 20 * MB), Part("code", 3000, 40 * MB), Part("text", 20, 50_000))),
    Shape("ml-function", False, (Part("code", 2500, 40 * MB), Part("text", 6000, 60 * MB), Part("noise", 1, 25 * MB))),
    Shape("one-huge-layer", False, (Part("text", 9000, 120 * MB),)),
    Shape("tiny", False, (Part("text", 20, 400_000),) * 4),
    Shape("thirty-layers", False, (Part("code", 100, 2 * MB),) * 30),
    Shape("many-small-files", False, (Part("text", 20000, 15 * MB), Part("code", 300, 6 * MB))),
    Shape("slim-function", False, (Part("code", 1500, 25 * MB), Part("text", 400, 8 * MB), Part("code", 2, 30_000))),
)


@functools.cache
def pool(kind):
    """What files are cut from: longer than what gzip remembers by far, so that each cut is as good as new."""
    noise = random.Random(kind)
    if kind == "noise":
        return noise.randbytes(POOL)
    if kind == "code":  # Instructions: few values, in patterns.
        words = [noise.randbytes(noise.randint(2, 6)) for _ in range(4000)]
    else:
        words = ["".join(noise.choices("etaoinshrdlucmf_", k=noise.randint(3, 12))).encode() + noise.choice([b" ", b" ", b"\n", b"("])
                 for _ in range(900)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    out = io.BytesIO()
    while out.tell() < POOL:
        out.write(b"".join(noise.choices(words, weights, k=20000)))
    return out.getvalue()[:POOL]


def contents(part, seed):
    noise = random.Random(seed)
    if part.files == 1 or part.kind == "noise":
        return [noise.randbytes(part.bytes // part.files) for _ in range(part.files)]
    sizes = [noise.lognormvariate(0, 1.5) for _ in range(part.files)]
    scale = part.bytes / sum(sizes)
    source = pool(part.kind)
    out = []
    for size in sizes:
        wanted, pieces = int(size * scale), []
        while wanted > 0:
            begin = noise.randrange(len(source) - 1)
            pieces.append(source[begin:begin + wanted])
            wanted -= len(pieces[-1])
        out.append(b"".join(pieces))
    return out


def make_layer(part, number, seed):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for index, content in enumerate(contents(part, seed)):
            if index % 40 == 0:
                folder = tarfile.TarInfo(f"layer{number}/{index // 40}")
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(folder)
            entry = tarfile.TarInfo(f"layer{number}/{index // 40}/{index}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    raw = buffer.getvalue()
    return Layer(gzip.compress(raw, compresslevel=6, mtime=0), digest_of(raw))


def make(shape):
    return image_of(shape.image_name, [make_layer(part, number, f"{shape.name}-{number}") for number, part in enumerate(shape.parts)])
