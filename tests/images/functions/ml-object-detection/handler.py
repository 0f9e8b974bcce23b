"""ML pipeline: finds the bright objects of a picture and says which class the model gives each."""

import mmap

import numpy
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn.preprocessing import normalize

MODEL = "/models/detector.bin"
SIDE, CLASSES = 32, 80


def _picture():
    picture = Image.new("L", (320, 240))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((20, 30, 80, 90), fill=250)
    draw.ellipse((150, 100, 260, 200), fill=230)
    return picture


def main(arguments):
    picture = _picture()
    labels, count = ndimage.label(numpy.asarray(picture) > 128)
    with open(MODEL, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as model:
        raw = numpy.frombuffer(model[:CLASSES * SIDE * SIDE], dtype=numpy.int8).reshape(CLASSES, SIDE * SIDE)
        weights = normalize(raw.astype(float))
    found = []
    for rows, columns in ndimage.find_objects(labels):
        box = picture.crop((columns.start, rows.start, columns.stop, rows.stop)).resize((SIDE, SIDE))
        found.append(int(numpy.argmax(weights @ numpy.asarray(box, dtype=float).ravel())))
    return {"objects": count, "classes": found}
