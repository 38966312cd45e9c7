"""Reads with PyTorch and TensorBoard what this program writes: state dicts, training checkpoints, safetensors, logs.

    npx tsx bench/peers/checkpoints.ts FOLDER [--large]
    python -m venv VENV && VENV/bin/pip install torch numpy safetensors tensorboard
    VENV/bin/python bench/peers/checkpoints.py FOLDER

Compares names, order, types and values with the golden checkpoint that they were made from, with `weights_only`, and
goes the ways of OpenFlamingo (Python): `load_state_dict(torch.load(path), strict=False)`, and the resuming of
train.py with optimizer and schedule, one step of which is then done.
"""
import os
import sys

import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

folder = sys.argv[1]
at = lambda name: os.path.join(folder, name)
read = lambda path: torch.load(path, map_location="cpu", weights_only=True)
golden = read(open(at("golden.txt")).read())
saved = golden["model_state_dict"]
names = [name[len("module.") :] for name in saved]
print("torch", torch.__version__, "golden:", len(names), "tensors")


def same(given, what, prefix=""):
    assert list(given) == [prefix + name for name in names], what + ": names or their order"
    for name in names:
        a, b = given[prefix + name], saved["module." + name]
        assert a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b), what + ": " + name
    print("ok", what, type(given).__name__)


bare = read(at("checkpoint.pt"))
same(bare, "checkpoint.pt")
tensors = load_file(at("checkpoint.safetensors"))
same({name: tensors[name] for name in names}, "checkpoint.safetensors")
training = read(at("checkpoint_2.pt"))
assert list(training) == list(golden) and training["epoch"] == 2
same(training["model_state_dict"], "checkpoint_2.pt", "module.")
assert training["model_state_dict"].__class__ is saved.__class__

for ours, theirs in zip(training["optimizer_state_dict"]["param_groups"], golden["optimizer_state_dict"]["param_groups"], strict=True):
    assert ours == theirs, (ours, theirs)
    assert [(k, type(v)) for k, v in ours.items()] == [(k, type(v)) for k, v in theirs.items()]
ours, theirs = training["lr_scheduler_state_dict"], golden["lr_scheduler_state_dict"]
assert {k: type(v) for k, v in ours.items()} == {k: type(v) for k, v in theirs.items()}
print("ok groups and schedule are of the golden checkpoint's form")


def module_of(names, extra=()):
    """A model with these parameters, in this order, and one that no checkpoint has."""
    root = torch.nn.Module()
    for name in [*names, *extra]:
        *path, last = name.split(".")
        inner = root
        for part in path:
            if part not in inner._modules:
                inner.add_module(part, torch.nn.Module())
            inner = inner._modules[part]
        shape = saved["module." + name].shape if "module." + name in saved else (1,)
        inner.register_parameter(last, torch.nn.Parameter(torch.zeros(shape)))
    return root


# As in the model cards: a bare state dict into the whole model.
model = module_of(names, extra=["vision_encoder.class_embedding"])
found = model.load_state_dict(torch.load(at("checkpoint.pt")), strict=False)
assert found.unexpected_keys == [] and found.missing_keys == ["vision_encoder.class_embedding"], found
print("ok load_state_dict(torch.load(checkpoint.pt), strict=False)")

# As in train.py: "module." is taken off, the optimizer has two groups, the schedule is a LambdaLR.
model = module_of(names)
checkpoint = torch.load(at("checkpoint_2.pt"), map_location="cpu")
state = {k.replace("module.", ""): v for k, v in checkpoint["model_state_dict"].items()}
assert model.load_state_dict(state, False).unexpected_keys == []
decayed = [(n, p) for n, p in model.named_parameters() if "gated_cross_attn" in n]
others = [(n, p) for n, p in model.named_parameters() if "gated_cross_attn" not in n]
groups = [{"params": [p for _, p in decayed], "weight_decay": 0.1}, {"params": [p for _, p in others], "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-4)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, s / 35))
optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
schedule.load_state_dict(checkpoint["lr_scheduler_state_dict"])
for name, parameter in [*decayed, *others]:
    moments = optimizer.state[parameter]
    assert moments["step"].item() == 7, name
    assert torch.equal(moments["exp_avg"], parameter.detach() / 2), name
    assert torch.equal(moments["exp_avg_sq"], parameter.detach() ** 2), name
    parameter.grad = torch.zeros_like(parameter)
optimizer.step()
schedule.step()
assert schedule.last_epoch == 8 and optimizer.param_groups[0]["lr"] == 1e-4 * 8 / 35, schedule.state_dict()
print("ok train.py's way of resuming, and a step")

types = read(at("types.pt"))
numbers = types["float32"]
assert torch.equal(types["float16"], numbers.half()) and torch.equal(types["bfloat16"], numbers.bfloat16())
assert types["int64"].tolist() == [-1, 0, 2**40] and types["int64"].dtype == torch.int64
assert types["scalar"].shape == () and types["scalar"].item() == 7 and types["empty"].shape == (0, 3)
print("ok float16, bfloat16, int64, no axes, no elements")

events = EventAccumulator(at("tensorboard"), size_guidance={"scalars": 0, "tensors": 0}).Reload()
losses = events.Scalars("loss")
assert [(e.step, e.value) for e in losses] == [(s, torch.tensor(1 / s).item()) for s in range(1, 101)]
captions = [(e.step, e.tensor_proto.string_val[0].decode()) for e in events.Tensors("caption/cat.jpg")]
assert captions == [(50, "a cat, 50 → ä"), (100, "a cat, 100 → ä")], captions
assert "caption/cat.jpg" in events.PluginTagToContent("text")
print("ok TensorBoard: 100 losses, 2 captions")

if os.path.exists(at("large.pt")):
    for mapped in (False, True):
        large = torch.load(at("large.pt"), weights_only=True, mmap=mapped)
        assert all(bool((large[f"part.{i}"] == 0.5).all()) for i in range(17)) and large["last"].tolist() == [1, 2]
    print("ok", os.path.getsize(at("large.pt")), "bytes, read and mapped")
