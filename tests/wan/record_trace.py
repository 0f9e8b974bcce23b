#!/usr/bin/python3
"""Records what the stream controller is told during one real pull over an emulated link, for tests/unit/adaptive/traces.

usage: record_trace.py RATE_MBPS RTT_MS LOSS_PCT CAP_MBPS IMAGE FILE     (IMAGE: see study/cells.py; as root)
"""

import pathlib
import re
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from study import BUILD, images  # noqa: E402
from study.cells import Cell  # noqa: E402
from study.site import Site  # noqa: E402
from study.systems import paceline  # noqa: E402

INDEX = 90  # Beside the lanes of tests and of a study.


def main():
    rate, rtt, loss, cap = map(float, sys.argv[1:5])
    cell, out = Cell("trace", rate, rtt, loss, cap, sys.argv[5]), pathlib.Path(sys.argv[6])
    image = images.ensure([cell.image], BUILD, print)[cell.image]
    site = Site(INDEX, BUILD / "trace", BUILD, threading.Semaphore(1), threading.Event())
    try:
        site.link(cell)
        with site.scratch("paceline") as directory, paceline.running(site, directory, "adaptive", log_level="trace") as daemon:
            site.time([paceline.BIN / "paceline", "--address", daemon.address, "prefetch", image.reference(site.host)], 600, 10)
            log = daemon.log()
    finally:
        site.close()
    begins = re.search(r" begins ([\d,]+) decided", log).group(1)
    observed = re.findall(r" observed ([\d,]+) decided", log)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"# {rate:g} Mbps, {rtt:g} ms, loss {loss:g} %, cap {cap:g} Mbps, {cell.image}; see observation_trace.h\n"
                   f"begins,{begins}\n" + "\n".join(observed) + "\n")
    print(f"{out}: {len(observed)} observations")


if __name__ == "__main__":
    main()
