"""The files a study leaves: a row a pull, appended as it finishes. What has a row is done and is not measured again."""

import csv
import datetime
import threading

from .cells import wire_limit_seconds

KEY = ("grid", "rate", "rtt_ms", "loss_pct", "cap", "image", "system", "setting", "pull", "rep")
COLUMNS = ("grid", "rate", "rtt_ms", "loss_pct", "cap", "image", "bytes", "system", "setting", "pull", "rep", "seconds",
           "wire_limit_seconds", "streams_mean", "streams_last", "retrans_pct", "load1")
STREAM_COLUMNS = KEY + ("connections_max", "connections_mean", "queue_peak_bytes", "drops_queue", "drops_loss", "lateness_p99_us", "tun_drops", "goodput_mbps",
                        "path_rtt_ms", "path_best_mbps", "mode", "reason", "requests", "retries", "throttled", "trail")
FAILURE_COLUMNS = KEY + ("when", "error")


def text(value):
    """A number as the files write it, so that a key read back equals the one written."""
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def key_of(cell, system, setting, pull, rep):
    return tuple(text(value) for value in (cell.grid, cell.rate, cell.rtt_ms, cell.loss_pct, cell.cap, cell.image,
                                           system, setting, pull, rep))


class Table:
    """An append-only CSV file. A row that was cut off by a crash is dropped when the file is opened."""

    def __init__(self, path, columns):
        self.path, self.columns = path, columns
        self._lock = threading.Lock()
        if not path.exists() or path.stat().st_size == 0:
            return
        whole = path.read_bytes()
        if not whole.endswith(b"\n"):
            path.write_bytes(whole[:whole.rfind(b"\n") + 1])
        with open(path, newline="") as file:
            header = tuple(next(csv.reader(file), ()))
        if header != tuple(columns):
            raise SystemExit(f"{path} has other columns than this study writes ({','.join(header)}): move it away")

    def rows(self):
        if not self.path.exists():
            return []
        with open(self.path, newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]

    def append(self, values):
        self._append([text(values.get(column, "")) for column in self.columns])

    def _append(self, cells):
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                if file.tell() == 0:
                    writer.writerow(self.columns)
                writer.writerow(cells)


class Results:
    def __init__(self, csv_path):
        beside = lambda name: csv_path.with_name(f"{csv_path.stem}-{name}.csv" if csv_path.stem != "concurrency" else f"{name}.csv")
        self.pulls = Table(csv_path, COLUMNS)
        self.streams = Table(beside("streams"), STREAM_COLUMNS)
        self.failures = Table(beside("failures"), FAILURE_COLUMNS)
        self._lock = threading.Lock()
        self._done = {tuple(row[column] for column in KEY) for row in self.pulls.rows()}

    def done(self, key):
        with self._lock:
            return key in self._done

    def keep(self, job, image, measured):
        key = key_of(job.cell, job.system, job.setting, measured.pull, job.rep)
        self.add(key, job.cell, wire_limit_seconds(image.bytes, job.cell.rate, job.cell.rtt_ms), measured, image.bytes)

    def keep_failure(self, job, pull, error):
        self.fail(key_of(job.cell, job.system, job.setting, pull, job.rep), error)

    def add(self, key, cell, wire_limit, measured, total_bytes):
        """Keeps a pull, unless it has a row already (a job of two pulls that was cut off between them)."""
        with self._lock:
            if key in self._done:
                return False
            self._done.add(key)
        timing, identity = measured.timing, dict(zip(KEY, key))
        self.pulls.append(identity | {
            "bytes": str(total_bytes), "seconds": f"{timing.seconds:.3f}", "wire_limit_seconds": f"{wire_limit:.3f}",
            "streams_mean": f"{measured.streams_mean:.2f}", "streams_last": f"{measured.streams_last:g}",
            "retrans_pct": f"{timing.lost_pct:.3f}", "load1": f"{timing.load1:.2f}"})
        stats = timing.stats
        self.streams.append(identity | {
            "connections_max": timing.connections, "connections_mean": f"{timing.connections_mean:.2f}",
            "queue_peak_bytes": str(stats["down_queue_peak_bytes"]), "drops_queue": str(stats["down_queue_drops"]),
            "drops_loss": str(stats["down_loss_drops"]), "goodput_mbps": f"{total_bytes * 8e-6 / timing.seconds:.2f}",
            "lateness_p99_us": f"{stats['lateness_p99_us']:g}", "tun_drops": str(stats["tun_drops"]),
            **measured.extra})
        return True

    def fail(self, key, error):
        self.failures.append(dict(zip(KEY, key)) | {
            "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "error": " ".join(str(error).split())[:1000]})
