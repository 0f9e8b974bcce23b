"""Video processing: a small picture of a clip's first frame."""

import io

import av
import numpy


def _clip():
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as clip:
        stream = clip.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for level in (40, 120, 200):
            frame = av.VideoFrame.from_ndarray(numpy.full((120, 160, 3), level, dtype=numpy.uint8), format="rgb24")
            for packet in stream.encode(frame):
                clip.mux(packet)
        for packet in stream.encode():
            clip.mux(packet)
    return data.getvalue()


def main(arguments):
    with av.open(io.BytesIO(_clip())) as clip:
        picture = next(clip.decode(video=0)).to_image()
    picture.thumbnail((32, 32))
    return {"size": picture.size}
