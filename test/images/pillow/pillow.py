"""What Pillow makes of the variants that write.ts has written into a folder, a line each, in their order.

See write.ts for the commands. Files are read from memory: from a path Pillow 12.3.0 reads a few odd BMPs by another way,
and does not turn a TIFF of grey.
"""

import hashlib
import io
import json
import os
import sys
import warnings

import PIL
from PIL import Image, ImageOps

warnings.simplefilter("ignore")


def opened(path):
    with open(path, "rb") as file:
        return Image.open(io.BytesIO(file.read()))


def digest(image):
    """Of RGBA all samples, of other modes the colours."""
    pixels = image if image.mode == "RGBA" else image.convert("RGB")
    return hashlib.sha256(pixels.tobytes()).hexdigest()[:16]


def decoded(path):
    """Mode, size and digest, or `rejected`."""
    try:
        image = opened(path)
        image.load()
        return f"{image.mode} {image.width} {image.height} {digest(image)}"
    except Exception:
        return "rejected"


def turned(path):
    """The orientation that Pillow sees, mode and size, and digests as it is and after ImageOps.exif_transpose.

    Those of AVIF, whose decoders differ, are left out.
    """
    image = opened(path)
    orientation = image.getexif().get(274, 1)
    image.load()
    upright = ImageOps.exif_transpose(image)
    digests = [] if image.format == "AVIF" else [digest(image), digest(upright)]
    if not isinstance(orientation, int):
        orientation = "other"
    return " ".join(map(str, [orientation, image.mode, upright.width, upright.height, *digests]))


kind, folder = sys.argv[1:3]
result = turned if kind == "orientation" else decoded
report = {
    "pillow": PIL.__version__,
    "results": [result(os.path.join(folder, str(i))) for i in range(len(os.listdir(folder)))],
}
if kind == "orientation":
    goldens = sys.argv[3]
    names = sorted(name for name in os.listdir(goldens) if "_exif_" in name or "_orient_" in name)
    report["goldens"] = {name: turned(os.path.join(goldens, name)) for name in names}
print(json.dumps(report, indent=1))
