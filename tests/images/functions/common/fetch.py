"""Stands for what a build downloads: a model's weights or text corpora, made here, the same byte for byte each time.

usage: fetch.py weights FILE MEGABYTES
       fetch.py corpora FOLDER [--keep-archives]
"""

import itertools
import pathlib
import random
import sys
import zipfile

CHUNK = 1 << 20
EXPONENTS = bytes(60 + number % 6 for number in range(256))  # 32-bit floats of one magnitude: the top byte has few values
# What textblob's download_corpora brings, about: (name, files, bytes of each).
CORPORA = (("brown", 500, 20_000), ("movie_reviews", 2000, 4_000), ("wordnet", 18, 1_500_000), ("punkt", 36, 900_000),
           ("averaged_perceptron_tagger", 1, 6_000_000), ("conll2000", 3, 1_300_000))


def weights(path, megabytes):
    """As compressible as trained weights: a few percent."""
    noise = random.Random(path)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for _ in range(megabytes * 1_000_000 // CHUNK):
            chunk = bytearray(noise.randbytes(CHUNK))
            chunk[3::4] = bytes(chunk[3::4]).translate(EXPONENTS)
            file.write(chunk)


def words(noise, size):
    """Text of made-up words, as often as words of a language are (Zipf)."""
    letters = "etaoinshrdlucmfwypvbgk"
    vocabulary = ["".join(noise.choices(letters, k=noise.randint(2, 9))) for _ in range(8000)]
    shares = list(itertools.accumulate(1 / rank for rank in range(1, len(vocabulary) + 1)))
    text = " ".join(noise.choices(vocabulary, cum_weights=shares, k=size // 4))
    return text[:size].encode()


def corpora(folder, keep_archives):
    """As NLTK's downloader leaves them: unpacked, and the archives beside that unless they are removed."""
    noise = random.Random("corpora")
    for name, count, size in CORPORA:
        there = pathlib.Path(folder) / name
        there.mkdir(parents=True, exist_ok=True)
        text = words(noise, count * size)
        for number in range(count):
            (there / f"{number:04}.txt").write_bytes(text[number * size:(number + 1) * size])
        if keep_archives:
            with zipfile.ZipFile(f"{there}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(there.iterdir()):
                    archive.writestr(zipfile.ZipInfo(f"{name}/{path.name}"), path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    if sys.argv[1] == "weights":
        weights(sys.argv[2], int(sys.argv[3]))
    else:
        corpora(sys.argv[2], "--keep-archives" in sys.argv)
