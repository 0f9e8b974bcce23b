"""images.csv: a row a pull, appended as it ends. What has a row is done; what is about other images is measured anew."""

import datetime

from study.results import Table

COLUMNS = ("application", "function", "variant", "link", "system", "rep", "compressed_bytes", "uncompressed_bytes", "files", "layers",
           "seconds")
MORE_COLUMNS = ("function", "variant", "link", "system", "rep", "connections_max", "goodput_mbps", "retrans_pct",
                "lateness_p99_us", "load1")
FAILURE_COLUMNS = ("function", "variant", "link", "system", "rep", "when", "error")
SAME_IMAGE = 1e-3  # of its size: built again, an image differs by the times in apt's and dpkg's logs
LAYER_COLUMNS = ("function", "variant", "layer", "compressed_bytes", "uncompressed_bytes", "files", "made_by")


def _key(row):
    return f"{row['function']}/{row['variant']}", row["link"], row["system"], int(row["rep"])


class Results:
    def __init__(self, csv_path):
        beside = lambda what: csv_path.with_name(f"{csv_path.stem}-{what}.csv")
        self.path = csv_path
        self.pulls = Table(csv_path, COLUMNS)
        self.links = Table(beside("links"), MORE_COLUMNS)
        self.failures = Table(beside("failures"), FAILURE_COLUMNS)
        self._layers = beside("layers")
        self._done = {_key(row) for row in self.pulls.rows()}

    def done(self, image, link, system, rep):
        return (image, link, system, rep) in self._done

    def about(self, images):
        """Writes what the images are made of. Refuses to mix rows of images of that name that had another size."""
        for row in self.pulls.rows():
            image = images.get(f"{row['function']}/{row['variant']}")
            if image and abs(int(row["compressed_bytes"]) - image.bytes) > SAME_IMAGE * image.bytes:
                raise SystemExit(f"{self.path} has pulls of another {image.key} ({row['compressed_bytes']} bytes, now {image.bytes}): "
                                 "move it away, or measure into another file with --csv")
        self._layers.unlink(missing_ok=True)
        table = Table(self._layers, LAYER_COLUMNS)
        for image in images.values():
            for number, layer in enumerate(image.layers):
                table.append({"function": image.function, "variant": image.variant, "layer": number,
                              "compressed_bytes": str(layer.compressed), "uncompressed_bytes": str(layer.uncompressed),
                              "files": str(layer.files), "made_by": layer.made_by})

    # What the driver calls.

    def keep(self, job, image, measured):
        timing, pull = measured.timing, self._identity(job)
        self.pulls.append(pull | {
            "application": image.application, "compressed_bytes": str(image.bytes), "uncompressed_bytes": str(image.uncompressed),
            "files": str(image.files), "layers": str(len(image.layers)), "seconds": f"{timing.seconds:.3f}"})
        self.links.append(pull | {
            "connections_max": str(timing.connections), "goodput_mbps": f"{image.bytes * 8e-6 / timing.seconds:.2f}",
            "retrans_pct": f"{timing.lost_pct:.3f}", "lateness_p99_us": f"{timing.stats['lateness_p99_us']:g}",
            "load1": f"{timing.load1:.2f}"})
        self._done.add(_key(pull))

    def keep_failure(self, job, pull, error):
        self.failures.append(self._identity(job) | {
            "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "error": " ".join(str(error).split())[:1000]})

    @staticmethod
    def _identity(job):
        function, variant = job.cell.image.split("/")
        return {"function": function, "variant": variant, "link": job.cell.link.name, "system": job.system, "rep": job.rep}
