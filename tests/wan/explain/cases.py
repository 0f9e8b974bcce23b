"""The bottlenecks that are staged."""

import dataclasses

from contention.guard import Limits
from contention.images import MB, ensure, keep
from harness.images import DOCKER, make_image, small_files
from lane import LinkSpec

FAST = LinkSpec(500, 5)


@dataclasses.dataclass(frozen=True)
class Case:
    """`bottleneck`: what `paceline explain` should say."""
    name: str
    bottleneck: str
    spec: LinkSpec
    layers: int = 4
    layer_bytes: int = MB
    files: int = 0  # A layer of that many small files instead, which is unpacked.
    limits: Limits | None = None
    disk_bytes_per_second: int = 0
    token_seconds: float = 0

    def image(self):
        if not self.files:
            return ensure("explained", 1, self.layers, self.layer_bytes)[0]
        name = f"explained-{self.files}-files"
        keep({name: lambda: make_image(name, [], kind=DOCKER, base=False, more=[small_files(self.files)])})
        return name


CASES = (
    Case("far registry, small layers", "latency", LinkSpec(200, 200), layers=6, layer_bytes=20_000),
    Case("10 Mbps", "link", LinkSpec(10, 20), layer_bytes=2 * MB),
    Case("5 Mbps a connection", "connection cap", LinkSpec(200, 35, cap_mbps=5), layer_bytes=6 * MB),
    Case("1 % of loss", "loss", LinkSpec(200, 70, loss_pct=1), layer_bytes=6 * MB),
    Case("429 above 2 requests/s", "throttle", LinkSpec(100, 20), layers=10, limits=Limits(requests_per_second=2, burst=3)),
    Case("disk of 4 MB/s", "disk", FAST, layer_bytes=4 * MB, disk_bytes_per_second=4 * MB),
    Case("60 000 small files", "unpack", FAST, files=60_000),
    Case("token after 3 s", "token server", LinkSpec(100, 20), token_seconds=3),
)
