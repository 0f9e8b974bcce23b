"""Programs that only download: floors for what fetching costs. They know the blobs' addresses beforehand."""

from .base import System, by_link


class Skopeo(System):
    """Manifest, config and layers into a folder. `dir`: writes layer after layer. `oci`: an OCI layout, several at a time."""
    name = "skopeo"
    needs = ("skopeo",)
    setup_seconds = 0.1

    def settings(self, cell):
        return [("dir", 2)] + ([("oci", 2)] if len(cell.layers) > 1 else [])

    def streams(self, setting, cell):
        return (1 if setting == "dir" else 6), False

    def run(self, site, image, setting, timeout, expected):
        with site.scratch("skopeo") as directory:
            yield by_link(site.time(
                ["skopeo", "--insecure-policy", "--tmpdir", directory, "copy", "--quiet", "--src-tls-verify=false",
                 f"docker://{image.reference(site.host)}", f"{setting}:{directory}/image"], timeout, expected))


class Aria2(System):
    """`x16`: up to 16 connections a layer, five layers at a time (its default). `x16j`: all layers at a time."""
    name = "aria2"
    needs = ("aria2c",)
    setup_seconds = 0.1

    def settings(self, cell):
        return [("x16", 1)] + ([("x16j", 2)] if len(cell.layers) > 1 else [])

    def streams(self, setting, cell):
        return 16, True

    def run(self, site, image, setting, timeout, expected):
        with site.scratch("aria2") as directory:
            listed = directory / "urls"
            listed.write_text("".join(f"{url}\n out={number}\n" for number, url in enumerate(image.blob_urls(site.host))))
            at_once = 5 if setting == "x16" else len(image.layers)
            yield by_link(site.time(
                ["aria2c", "--no-conf", "--quiet", "-x16", "-s16", "-k1M", f"-j{at_once}", "--file-allocation=none",
                 "-d", directory, "-i", listed], timeout, expected))


class Curl(System):
    """`single`: one connection, layer after layer. `parallel`: up to ten layers at a time."""
    name = "curl"
    needs = ("curl",)
    setup_seconds = 0.1

    def settings(self, cell):
        return [("single", 2)] + ([("parallel", 2)] if len(cell.layers) > 1 else [])

    def streams(self, setting, cell):
        return (1 if setting == "single" else 10), False

    def run(self, site, image, setting, timeout, expected):
        with site.scratch("curl") as directory:
            argv = ["curl", "--disable", "-sSf"]
            if setting == "parallel":
                argv += ["--parallel", "--parallel-immediate", "--parallel-max", "10"]
            for number, url in enumerate(image.blob_urls(site.host)):
                argv += ["-o", directory / str(number), url]
            yield by_link(site.time(argv, timeout, expected))
