"""One image tower, timed on request, for `bench/vit.ts`: open_clip's ViT-L-14 with random weights, in float32.

    python vit.py THREADS

Says the versions, then for each line with a batch size the milliseconds of one run.
"""
import sys
import time
from importlib.metadata import version

import open_clip
import torch

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
# Quick GELU is what the released models' tower has.
tower = open_clip.create_model("ViT-L-14", force_quick_gelu=True).visual.eval()
weights = sum(each.numel() for each in tower.parameters()) / 1e6
versions = f"PyTorch {version('torch')}, open_clip {version('open_clip_torch')}"
print(f"{versions}, {weights:.0f} million weights", flush=True)
for line in sys.stdin:
    pixels = torch.full((int(line), 3, 224, 224), 0.1)
    start = time.perf_counter()
    with torch.inference_mode():
        tower(pixels)
    print((time.perf_counter() - start) * 1000, flush=True)
