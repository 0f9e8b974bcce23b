"""Video processing: encodes a clip anew."""

import os
import subprocess
import tempfile

FFMPEG = ["ffmpeg", "-v", "error", "-nostdin", "-y"]


def main(arguments):
    with tempfile.TemporaryDirectory() as folder:
        source, result = f"{folder}/source.mkv", f"{folder}/result.mp4"
        subprocess.run([*FFMPEG, "-f", "lavfi", "-i", "testsrc=duration=0.2:size=160x120:rate=10", "-c:v", "ffv1", source], check=True)
        subprocess.run([*FFMPEG, "-i", source, "-c:v", "libx264", "-pix_fmt", "yuv420p", result], check=True)
        return {"source": os.path.getsize(source), "result": os.path.getsize(result)}
