"""What the paper on multi-stage builds of AQUATOPE's functions found, for the columns beside ours."""

SIZE_PERCENT = 61        # average reduction of the image's size
TIME_PERCENT = 28        # largest reduction of the pull time
# Function → (GB before, GB after, seconds saved), where the text tells them.
FUNCTIONS = {
    "sn-compose-post": (1.51, 0.353, "about 4"),
    "sn-text-filter": (None, None, "6"),
    "ml-object-detection": (2.39, 1.4, "9.75"),
    "ml-image-filter": (None, None, "6"),
    "vp-transcode": (None, None, "about 4"),
    "vp-thumbnail": (None, None, "about 4"),
}
DIFFERENCES = (
    "Packages: the paper's functions stand on OpenWhisk's Python 3.9 runtime, the full `python` image, and fetch packages with pip. Here "
    "everything is a Debian 12 package, on a Debian base made by mmdebstrap; compilers and libraries for other languages that the full "
    "`python` image brings along are not in our originals, which are therefore smaller.",
    "Models and corpora are generated at build, of the sizes that the paper names, and not downloaded; the model's bytes do not compress, "
    "where a real one's shrink by a few percent. Debian's own packages of a function's libraries stand for those of pip (scikit-learn for "
    "MXNet, NLTK for textblob).",
    "Handlers are written for this study and do a small piece of what the benchmark's do; every image runs its handler once after it was "
    "built. A pull does not depend on what a handler does.",
    "Link and registry: the paper pulled from a registry over a network that it does not describe; here a docker-registry stands at the "
    "other end of loopback, or of an emulated link (35 ms) without loss and other traffic.",
    "Repetitions and machine: the paper pulled ten times; how often each pull was made here, and on what, is told below.",
)
