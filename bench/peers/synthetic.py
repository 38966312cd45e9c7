"""The reference implementation's own classes over a model that `bench/syntheticModel.ts` wrote, for `synthetic.ts`.

    python synthetic.py FOLDER THREADS [float32|bfloat16]

Says the versions and the seconds of loading, then for each line of JSON, as long as the list in brackets:
    {"do": "encode", "pixels": [value]}     -> {"ms"}: vision encoder and resampler, one image of that value
    {"do": "generate", "ids": [...], "count": n, "beams": n} -> {"ms", "ids"}: the image of before, a prompt, n tokens
Needs open-flamingo 2.0.1, transformers 4.33.3, open_clip_torch 2.20.0 and any PyTorch.
"""
import contextlib
import io
import json
import os
import sys
import time
from importlib.metadata import version

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
import open_clip
import torch
from open_flamingo import create_model_and_transforms
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

folder, threads, dtype = sys.argv[1], int(sys.argv[2]), getattr(torch, sys.argv[3])
torch.set_num_threads(threads)
at = lambda name: os.path.join(folder, name)


def load():
    card = json.load(open(at("openflamingo.json")))
    # Nothing is drawn at random for weights that are loaded afterwards.
    for draw in ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_"):
        setattr(torch.nn.init, draw, lambda tensor, *_, **__: tensor)
    torch.set_default_dtype(dtype)
    tower = open_clip.create_model_and_transforms  # quick GELU, as with OpenAI's weights
    open_clip.create_model_and_transforms = lambda *a, **k: tower(*a, force_quick_gelu=True, **k)
    whole = AutoModelForCausalLM.from_pretrained
    AutoModelForCausalLM.from_pretrained = lambda *a, **k: whole(*a, torch_dtype=dtype, **k)
    with contextlib.redirect_stdout(io.StringIO()):
        model, _, tokenizer = create_model_and_transforms(
            "ViT-L-14", None, at("lang"), at("lang"),
            cross_attn_every_n_layers=card["flamingo"]["crossAttentionEvery"])
    clip = load_file(at(card["vision"]["weights"]))
    state = {"vision_encoder." + name.replace("visual.", ""): each for name, each in clip.items()}
    state.update(load_file(at(card["flamingo"]["checkpoint"])))
    found = model.load_state_dict(state, strict=False)
    assert not found.unexpected_keys, found.unexpected_keys[:5]
    torch.set_default_dtype(torch.float32)
    return model.eval()


start = time.perf_counter()
model = load()
seconds = time.perf_counter() - start
print(json.dumps({"torch": version("torch"), "seconds": seconds, "processor": time.process_time()}), flush=True)

pixels = torch.zeros(1, 1, 1, 3, 224, 224, dtype=dtype)
for line in sys.stdin:
    asked = json.loads(line)
    processor, start = time.process_time(), time.perf_counter()
    with torch.inference_mode():
        if asked["do"] == "encode":
            pixels.fill_(asked["pixels"])
            model._encode_vision_x(vision_x=pixels)
            ids = []
        else:
            given = torch.tensor([asked["ids"]])
            made = model.generate(
                pixels, given, attention_mask=torch.ones_like(given).bool(), max_new_tokens=asked["count"],
                min_new_tokens=asked["count"], num_beams=asked["beams"])
            ids = made[0, given.shape[1]:].tolist()
    ms = (time.perf_counter() - start) * 1000
    print(json.dumps({"ms": ms, "processor": (time.process_time() - processor) * 1000, "ids": ids}), flush=True)
