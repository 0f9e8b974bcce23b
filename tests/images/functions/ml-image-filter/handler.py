"""ML pipeline: blurs a picture and maps its colours through a fetched table."""

import numpy
from PIL import Image
from scipy import ndimage

TABLE = "/models/colours.bin"


def main(arguments):
    picture = numpy.linspace(0, 255, 320 * 240).reshape(240, 320)
    blurred = ndimage.gaussian_filter(picture, 3).astype(numpy.uint8)
    table = numpy.fromfile(TABLE, dtype=numpy.uint8, count=256)
    filtered = Image.fromarray(table[blurred])
    return {"size": filtered.size, "mean": float(numpy.asarray(filtered).mean())}
