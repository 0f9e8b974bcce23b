"""Which of an image's properties its pull times follow."""

from ..links import LINKS
from .regression import Explained, fit_growing

SIZE, FILES, LAYERS, RATIO = "compressed size", "files", "layers", "compressibility"
UNPACKED, WIRE, RTT = "unpacked size", "bytes over the link's rate", "round-trip time"


def _number(row, column):
    return float(row[column])


def _wire_seconds(row):
    link = LINKS[row["link"]]
    return _number(row, "compressed_bytes") * 8e-6 / link.rate if link.emulated else 0.0


# Name → what it is in a row of images.csv.
OF_THE_IMAGE = {
    SIZE: lambda row: _number(row, "compressed_bytes") / 1e6,
    FILES: lambda row: _number(row, "files"),
    LAYERS: lambda row: _number(row, "layers"),
    RATIO: lambda row: _number(row, "uncompressed_bytes") / _number(row, "compressed_bytes"),
}
OF_THE_LINK = {
    WIRE: _wire_seconds,
    RTT: lambda row: LINKS[row["link"]].rtt_ms if LINKS[row["link"]].emulated else 0.0,
}
# For the parts of a saving: compressibility is no amount, and what is unpacked is.
AMOUNTS = {
    WIRE: OF_THE_LINK[WIRE],
    SIZE: OF_THE_IMAGE[SIZE],
    UNPACKED: lambda row: _number(row, "uncompressed_bytes") / 1e6,
    FILES: OF_THE_IMAGE[FILES],
    LAYERS: OF_THE_IMAGE[LAYERS],
}


def _columns(factors, rows):
    return {name: [value(row) for row in rows] for name, value in factors.items()}


def explained(rows, factors):
    """Explained for these rows, or None where they are too few to say anything."""
    if len(rows) < len(factors) + 3:
        return None
    return Explained(_columns(factors, rows), [_number(row, "seconds") for row in rows])


def seconds_by_amount(rows):
    """Fit of one system's seconds, over every link, to what has to be carried, verified, inflated, written and created."""
    factors = AMOUNTS | {RTT: OF_THE_LINK[RTT]}
    if len(rows) < len(factors) + 3:
        return None
    return fit_growing(_columns(factors, rows), [_number(row, "seconds") for row in rows])


def parts_of_saving(fit, before, after):
    """Amount → seconds that its decrease saves by the fit. `before`, `after`: rows of images.csv, over the same link."""
    return {name: fit.slopes[name] * (value(before) - value(after)) for name, value in AMOUNTS.items()}
