"""The reference implementation's own classes and its own loop of training, over a model's folder, for `training.ts` and
`trainedCheckpoint.ts`.

    python -W ignore training.py FOLDER THREADS train
    python -W ignore training.py FOLDER THREADS caption CHECKPOINT IMAGE...

`train` says versions and the ids of special tokens, then makes a step for each line of JSON, in which the pixels'
files hold float32 as they lie in memory, and answers with the losses of the step, seconds and those of the processor:
    {"pairs": {"ids": [[...]], "images": FILE}, "documents": {"ids": [[...]], "images": FILE, "count": images of each}}
`caption` loads the trained part CHECKPOINT and says the ids that it gives for each image.

The environment, for any PyTorch and a Python up to 3.11 (tokenizers 0.13 has no wheels for later ones):
    python3.11 -m venv PLACE
    PLACE/bin/pip install torch torchvision pillow transformers==4.33.3 ftfy regex sentencepiece einops einops-exts
    PLACE/bin/pip install requests tqdm pyyaml timm
    PLACE/bin/pip install --no-deps open-flamingo==2.0.1 open_clip_torch==2.20.0
"""
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from types import SimpleNamespace

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
import open_clip
import torch
from open_flamingo import create_model_and_transforms
from transformers import get_constant_schedule_with_warmup

folder, threads, what, *rest = sys.argv[1:]
torch.set_num_threads(int(threads))
at = lambda *names: os.path.join(folder, *names)
card = json.load(open(at("openflamingo.json")))


def read(path):
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(path)
    state = torch.load(path, map_location="cpu")
    if "model_state_dict" in state:  # a training checkpoint, as train.py resumes from it
        state = {name.replace("module.", ""): each for name, each in state["model_state_dict"].items()}
    return state


def load(checkpoint):
    vision = json.load(open(at(card["vision"]["config"])))
    registered = os.path.join(tempfile.mkdtemp(), "vision_of_this_model.json")  # open_clip finds it by its name
    json.dump(vision["model_cfg"], open(registered, "w"))
    open_clip.add_model_config(registered)
    language = os.path.dirname(at(card["language"]["config"]))
    with contextlib.redirect_stdout(io.StringIO()):
        model, preprocess, tokenizer = create_model_and_transforms(
            "vision_of_this_model", None, language, language,
            cross_attn_every_n_layers=card["flamingo"]["crossAttentionEvery"])
    clip = {n[7:]: each for n, each in read(at(card["vision"]["weights"])).items() if n.startswith("visual.")}
    missing = set(model.vision_encoder.load_state_dict(clip, strict=False).missing_keys)
    missing -= {"proj", "ln_post.weight", "ln_post.bias"}  # of the pooled output, which is not used
    assert not missing, sorted(missing)[:5]
    # As the model cards say it.
    found = model.load_state_dict(read(checkpoint), strict=False)
    unexpected = [name for name in found.unexpected_keys if not name.endswith("inv_freq")]
    assert not unexpected, unexpected[:5]
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert not trained & set(found.missing_keys), sorted(trained & set(found.missing_keys))[:5]
    return model, preprocess, tokenizer


def say(**values):
    print(json.dumps(values), file=said, flush=True)


said, sys.stdout = sys.stdout, sys.stderr  # the loop prints


def pixels(given, *shape):
    size = card_size()
    data = torch.frombuffer(bytearray(open(given["images"], "rb").read()), dtype=torch.float32)
    return data.reshape(*shape, 3, size, size)


def card_size():
    return json.load(open(at(card["vision"]["config"])))["model_cfg"]["vision_cfg"]["image_size"]


def train():
    sys.modules["wandb"] = SimpleNamespace()  # imported there; what logs is an argument
    from open_flamingo.train.train_utils import train_one_epoch

    model, _, tokenizer = load(at(card["flamingo"]["checkpoint"]))
    image, end_of_chunk = (tokenizer.encode(text)[-1] for text in ("<image>", "<|endofchunk|>"))
    # train.py, get_grouped_params
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    groups = [
        {"params": [p for n, p in named if "gated_cross_attn" in n], "weight_decay": 0.1},
        {"params": [p for n, p in named if "gated_cross_attn" not in n], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-4)

    class Wrapped(torch.nn.Module):  # what DistributedDataParallel is for the loop
        def __init__(self):
            super().__init__()
            self.module = model

        def forward(self, **given):
            return model(**given)

    began = [0.0, 0.0]
    losses = {}

    def log(values, commit):
        losses.update({name[5:]: each for name, each in values.items() if name.startswith("loss_")})
        if "loss_mmc4" not in values:
            return
        now = [time.perf_counter(), time.process_time()]
        say(**losses, seconds=now[0] - began[0], processor=now[1] - began[1])

    class Pairs:
        num_batches = 2**40

        def __iter__(self):
            for line in sys.stdin:
                self.asked = json.loads(line)
                ids = torch.tensor(self.asked["pairs"]["ids"])
                batch = pixels(self.asked["pairs"], len(ids)), (ids, (ids != tokenizer.pad_token_id).long())
                documents.asked = self.asked["documents"]
                yield batch

    class Documents:
        num_batches = 2**40

        def __iter__(self):
            while True:
                ids = torch.tensor(self.asked["ids"])
                mask = (ids != tokenizer.pad_token_id).long()
                batch = pixels(self.asked, len(ids), self.asked["count"]), list(zip(ids[:, None], mask[:, None]))
                began[:] = time.perf_counter(), time.process_time()
                yield batch

    documents = Documents()
    args = SimpleNamespace(
        num_epochs=1, precision="fp32", fsdp=False, rank=0, world_size=1, gradient_accumulation_steps=1,
        loss_multiplier_laion=1.0, loss_multiplier_mmc4=1.0, freeze_lm_embeddings=False, report_to_wandb=True,
        batch_size_laion=1, batch_size_mmc4=1, logging_steps=2**40)
    say(torch=torch.__version__, image=image, endOfChunk=end_of_chunk, pad=tokenizer.pad_token_id,
        imageSize=card_size(), trained=sum(p.numel() for _, p in named))
    train_one_epoch(args, Wrapped(), 0, Pairs(), documents, tokenizer, optimizer,
                    get_constant_schedule_with_warmup(optimizer, 0), "cpu", SimpleNamespace(log=log))


def caption(checkpoint, *images):
    from PIL import Image

    model, preprocess, tokenizer = load(checkpoint)
    model.eval()
    asked = tokenizer(["<image>Output:"], return_tensors="pt")
    for image in images:
        with torch.inference_mode():
            made = model.generate(
                preprocess(Image.open(image))[None, None, None], asked["input_ids"],
                attention_mask=asked["attention_mask"].bool(), max_new_tokens=20, num_beams=1)
        say(image=image, ids=made[0, asked["input_ids"].shape[1]:].tolist())


train() if what == "train" else caption(*rest)
