"""What is measured: links, images, and the grids that combine them."""

import dataclasses
import itertools

MB = 1_000_000
KB = 1_000

# Layer sizes, bottom first. The skewed one has the shape of a language runtime's image: a base, a huge layer, many small ones.
IMAGES = {
    "equal-10MB": (1 * MB,) * 10,
    "equal-100MB": (10 * MB,) * 10,
    "equal-500MB": (50 * MB,) * 10,
    "skewed-100MB": (20 * MB, 300 * KB, 5 * MB, 60 * MB, 1 * KB, 9 * MB, 20 * KB, 3 * MB, 4 * KB, 800 * KB, 100 * KB, 1_500 * KB),
    "single-100MB": (100 * MB,),
    "equal-1MB": (100 * KB,) * 10,
    "single-1MB": (1 * MB,),
}

PAPER_RTTS = {35: "Tokyo", 100: "Bangkok", 150: "Silicon Valley"}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One link and one image. `cap`: Mbps a connection, 0: none."""
    grid: str
    rate: float
    rtt_ms: float
    loss_pct: float
    cap: float
    image: str

    @property
    def layers(self):
        return IMAGES[self.image]

    @property
    def bytes(self):
        return sum(self.layers)

    def __str__(self):
        return (f"{self.rate:g}Mbps/{self.rtt_ms:g}ms" + (f"/loss{self.loss_pct:g}" if self.loss_pct else "")
                + (f"/cap{self.cap:g}" if self.cap else "") + f"/{self.image}")


def paper():
    return [Cell("paper", 10, rtt, 0, 0, image)
            for image, rtt in itertools.product(("equal-10MB", "equal-100MB", "equal-500MB"), PAPER_RTTS)]


def modern():
    return [Cell("modern", rate, rtt, loss, cap, image)
            for rate, rtt, loss, cap, image in itertools.product(
                (200, 1000), (2, 35, 150), (0, 0.1), (0, 5), ("equal-100MB", "skewed-100MB", "single-100MB"))]


def quick():
    """Shows in two minutes that everything works; its numbers mean little."""
    return [Cell("quick", 40, 10, 0, 0, "equal-1MB"), Cell("quick", 40, 30, 0.1, 5, "single-1MB")]


GRIDS = {"paper": paper, "modern": modern, "quick": quick}


def wire_limit_seconds(total_bytes, rate_mbps, rtt_ms):
    """What no client can beat: the bytes in full Ethernet frames (1448 of 1538 bytes are payload), and one round trip."""
    return total_bytes * 8 * 1538 / 1448 / (rate_mbps * 1e6) + rtt_ms / 1e3
