import { expect, test } from "vitest";
import type { ErrorCode } from "../../../src/base/errors.js";
import { openTorchZip } from "../../../src/checkpoints/torch/archive.js";
import {
  dictionary,
  expectError,
  float32,
  memoryFile,
  orderedDict,
  read,
  tensor,
  text,
  torchFile,
  zip,
} from "../fixtures.js";

const open = (content: string) => openTorchZip(memoryFile(content, "weights.pt"));

const numbers = float32(0, 1, 2, 3, 4, 5);
const matrix = tensor({ size: 6, shape: [2, 3], strides: [3, 1] });

test("a plain dictionary and an OrderedDict with _metadata are state dicts", async () => {
  for (const body of [
    dictionary({ w: matrix }),
    `${orderedDict}(${text("w")}${matrix}u${dictionary({ _metadata: orderedDict })}b`,
  ]) {
    const checkpoint = await open(torchFile(body, [numbers]));
    expect([...checkpoint.tensors.keys()]).toEqual(["w"]);
    expect(await read(checkpoint, "w")).toEqual([0, 1, 2, 3, 4, 5]);
  }
});

test("a training checkpoint gives its model's tensors, without the marks of its wrappers", async () => {
  const body = dictionary({
    epoch: "K\x03",
    model_state_dict: dictionary({ "module.a._checkpoint_wrapped_module.w": matrix }),
    optimizer_state_dict: dictionary({
      state: `}K\x00${dictionary({ step: matrix })}s`,
      lr: "G\x3f\xf0      ",
    }),
  });
  const checkpoint = await open(torchFile(body, [numbers]));
  expect([...checkpoint.tensors.keys()]).toEqual(["a.w"]);
});

const namesIn = async (body: string) => [...(await open(torchFile(body, [numbers]))).tensors.keys()];

test.each([
  ["DistributedDataParallel", "module.a.w"],
  ["torch.compile", "_orig_mod.a.w"],
  ["FSDP", "_fsdp_wrapped_module.a.w"],
  ["FSDP around a block", "a._fsdp_wrapped_module.w"],
  ["torch.compile of a block", "a._orig_mod.w"],
  ["DistributedDataParallel around a block", "a.module.w"],
  ["one around the other", "module._orig_mod.a.w"],
  [
    "one around the other, and a block's own",
    "_orig_mod.module.a._fsdp_wrapped_module._checkpoint_wrapped_module.w",
  ],
  ["the same twice", "module.module.a.w"],
])("the mark that %s leaves in names is taken off: %s", async (_, name) => {
  expect(await namesIn(dictionary({ [name]: matrix }))).toEqual(["a.w"]);
  expect(await namesIn(dictionary({ state_dict: dictionary({ [name]: matrix }) }))).toEqual(["a.w"]);
});

test("what is only like such a mark stays", async () => {
  const names = ["modules.a", "my_module.a", "a.module", "module", "Module.a", "a.orig_mod.w"];
  expect(await namesIn(dictionary(Object.fromEntries(names.map((name) => [name, matrix]))))).toEqual(names);
});

test.each(["model_state_dict", "state_dict", "model", "module"])(
  "a training checkpoint may hold its state dict under %s, beside anything else",
  async (key) => {
    const body = {
      epoch: "K\x03",
      name: text("run"),
      [key]: dictionary({ w: matrix }),
      optimizer: dictionary({}),
    };
    expect(await namesIn(dictionary(body))).toEqual(["w"]);
    const reversed = Object.fromEntries(Object.entries(body).reverse());
    expect(await namesIn(dictionary(reversed))).toEqual(["w"]);
  },
);

test("what has the name of a nesting and holds no tensors is none", async () => {
  const body = { model: dictionary({ layers: "K\x03" }), state_dict: dictionary({ w: matrix }) };
  expect(await namesIn(dictionary(body))).toEqual(["w"]);
  expect(await namesIn(dictionary({ model: matrix, "state_dict.w": matrix }))).toEqual([
    "model",
    "state_dict.w",
  ]);
});

test("two names may share a storage, as one tensor or as different views", async () => {
  const body = dictionary({
    embedding: matrix,
    head: matrix,
    transposed: tensor({ size: 6, shape: [3, 2], strides: [1, 3] }),
    last: tensor({ size: 6, offset: 4, shape: [2], strides: [1] }),
  });
  const checkpoint = await open(torchFile(body, [numbers]));
  expect(await read(checkpoint, "head")).toEqual(await read(checkpoint, "embedding"));
  expect(await read(checkpoint, "transposed")).toEqual([0, 3, 1, 4, 2, 5]);
  expect(await read(checkpoint, "last")).toEqual([4, 5]);
});

test("a TorchScript module gives the tensors of the modules in it; its code may be compressed", async () => {
  const inner = `c__torch__.M\nInner\n)\x81${dictionary({ w: matrix, training: "\x89" })}b`;
  const body = `c__torch__\nModel\n)\x81${dictionary({ visual: inner, scale: matrix })}b`;
  const code = { name: "model/code/__torch__.py", data: "import os", method: 8 };
  const checkpoint = await open(torchFile(body, [numbers], [code]));
  expect([...checkpoint.tensors.keys()].sort()).toEqual(["scale", "visual.w"]);
});

const state = dictionary({ w: matrix });
const script = (attributes: string) => `c__torch__\nM\n)\x81q\x01${attributes}b`;
const sharing = `c__torch__\nM\n)\x81${dictionary({
  a: `c__torch__\nM\n)\x81${dictionary({ w: matrix })}q\x02b`,
  b: "c__torch__\nM\n)\x81h\x02b",
})}b`;
const broken: [what: string, content: string, message: string, code?: ErrorCode][] = [
  [
    "an archive that is not torch's",
    zip([{ name: "word/document.xml", data: "" }]),
    "0 files <name>/data.pkl",
  ],
  [
    "two pickles",
    torchFile(state, [numbers], [{ name: "other/data.pkl", data: "" }]),
    "2 files <name>/data.pkl",
  ],
  [
    "big-endian numbers",
    torchFile(state, [numbers], [{ name: "model/byteorder", data: "big" }]),
    "big-endian",
  ],
  [
    "a pickle that is compressed",
    zip([{ name: "m/data.pkl", data: "x", method: 8 }]),
    '"m/data.pkl" is compressed (method 8)',
  ],
  ["a tuple of tensors", torchFile(`(${matrix}t`, [numbers]), "holds a tuple, not a state dict"],
  ["a list of tensors", torchFile(`](${matrix}e`, [numbers]), "holds a list, not a state dict"],
  ["an empty tuple", torchFile(")"), "holds a tuple, not a state dict"],
  ["a tuple of one", torchFile("N\x85"), "holds a tuple, not a state dict"],
  ["one tensor", torchFile(matrix, [numbers]), "holds a tensor, not a state dict"],
  [
    "a tuple as the model's state",
    torchFile(dictionary({ model_state_dict: "(Nt" })),
    'holds a tuple under "model_state_dict", where a state dict should be',
  ],
  [
    "a list in the model's state",
    torchFile(dictionary({ state_dict: dictionary({ w: matrix, x: "]" }) }), [numbers]),
    'under "state_dict" holds a list under "x", where a tensor should be',
  ],
  [
    "state dicts in two places",
    torchFile(dictionary({ model: dictionary({ w: matrix }), state_dict: dictionary({ w: matrix }) }), [
      numbers,
    ]),
    'holds tensors under "state_dict" and "model"',
  ],
  [
    "a state dict in a state dict",
    torchFile(dictionary({ model: dictionary({ model: dictionary({ w: matrix }) }) }), [numbers]),
    'under "model" holds a dictionary under "model", where a state dict should be',
  ],
  [
    "a key of 255 bytes",
    torchFile(`}\x8a\xff${"\x01".repeat(255)}${matrix}s`, [numbers]),
    "has a number, 4950521763374847932094803414318313719430, as the name",
  ],
  [
    "a dictionary under a number",
    torchFile(`}K\x07${dictionary({ w: matrix })}s`, [numbers]),
    "a number, 7, as",
  ],
  [
    "a state dict under an unknown name",
    torchFile(dictionary({ ema: dictionary({ w: matrix }) }), [numbers]),
    'holds a dictionary under "ema", where a tensor should be',
  ],
  [
    "a checkpoint of Lightning",
    torchFile(
      dictionary({
        state_dict: dictionary({ "model.w": matrix }),
        "pytorch-lightning_version": text("2.1.0"),
      }),
      [numbers],
    ),
    'is a checkpoint of Lightning: it holds "pytorch-lightning_version"',
  ],
  [
    "the state of a DeepSpeed backend",
    torchFile(dictionary({ module: dictionary({ w: matrix }), ds_version: text("0.14.0") }), [numbers]),
    'is a checkpoint of DeepSpeed: it holds "ds_version"',
  ],
  [
    "an optimizer of DeepSpeed",
    torchFile(dictionary({ optimizer_state_dict: dictionary({}), ds_config: dictionary({}) })),
    'is a checkpoint of DeepSpeed: it holds "ds_config"',
  ],
  [
    "flat parameters of FSDP",
    torchFile(dictionary({ "_fsdp_wrapped_module._flat_param": matrix }), [numbers]),
    'holds "_fsdp_wrapped_module._flat_param", many tensors in one',
  ],
  [
    "flat parameters of an older FSDP",
    torchFile(dictionary({ w: matrix, "a._fsdp_wrapped_module.flat_param_0": matrix }), [numbers]),
    'holds "a._fsdp_wrapped_module.flat_param_0", many tensors in one',
  ],
  [
    "something between the tensors",
    torchFile(dictionary({ epoch: "K\x01" })),
    'holds a number under "epoch"',
  ],
  [
    "a key that is a number",
    torchFile(`}K\x07${matrix}s`, [numbers]),
    "has a number, 7, as the name of a tensor",
  ],
  ["a key that is 0", torchFile(`}K\x00${matrix}s`, [numbers]), "has a number, 0, as the name of a tensor"],
  [
    "a key that is nothing",
    torchFile(`}N${matrix}s`, [numbers]),
    "has nothing, null, as the name of a tensor",
  ],
  [
    "a key that is a number, further in",
    torchFile(dictionary({ model: `}(${text("w")}${matrix}K\x07Nu` }), [numbers]),
    'under "model" has a number, 7, as the name of nothing',
  ],
  ["a module in itself", torchFile(script("}X\x04\0\0\0selfh\x01s")), 'holds the module "self." twice'],
  ["a dictionary shared by two modules", torchFile(sharing, [numbers]), 'holds the module "b." twice'],
  ["a very long name", torchFile(script(dictionary({ ["x".repeat(301)]: "N" }))), "a name of 301 characters"],
  [
    "a name twice, once with a wrapper's mark",
    torchFile(dictionary({ model_state_dict: dictionary({ "module.w": matrix, w: matrix }) }), [numbers]),
    'holds the tensor "w" twice',
    "checkpoint-damaged",
  ],
  [
    "a name twice, once with a mark in the middle",
    torchFile(dictionary({ "a.w": matrix, "a._orig_mod.w": matrix }), [numbers]),
    'holds the tensor "a.w" twice, as "a.w" and as "a._orig_mod.w"',
    "checkpoint-damaged",
  ],
  [
    "a name by two wrappers",
    torchFile(dictionary({ state_dict: dictionary({ "module.w": matrix, "_orig_mod.w": matrix }) }), [
      numbers,
    ]),
    'holds the tensor "w" twice',
    "checkpoint-damaged",
  ],
  [
    "a storage that is missing",
    torchFile(state),
    'the storage "0" of "w" is not in the archive',
    "checkpoint-damaged",
  ],
  [
    "a storage that is shorter",
    torchFile(state, [numbers.slice(4)]),
    'the storage "0" of "w" should hold 6 of float32, and is 20 bytes long',
    "checkpoint-damaged",
  ],
  [
    "a storage of another type",
    torchFile(dictionary({ w: tensor({ type: "DoubleStorage", size: 6, shape: [6], strides: [1] }) }), [
      numbers,
    ]),
    "should hold 6 of float64, and is 24 bytes long",
    "checkpoint-damaged",
  ],
  [
    "a storage that leaves the archive's folder",
    torchFile(dictionary({ w: tensor({ key: "../../etc/passwd", size: 1, shape: [1], strides: [1] }) })),
    'the storage "../../etc/passwd" of "w" is not in the archive',
    "checkpoint-damaged",
  ],
  [
    "a storage that is compressed",
    zip([
      { name: "m/data.pkl", data: `\x80\x02${state}.` },
      { name: "m/data/0", data: numbers, method: 8 },
    ]),
    '"m/data/0" is compressed (method 8)',
  ],
  [
    "a pickle that would call",
    torchFile("cos\nsystem\n(X\x02\0\0\0idtR"),
    'data.pkl, byte 2: names "os.system"',
  ],
];
for (const [what, content, message, code = "checkpoint-rejected"] of broken) {
  test(`${what}: rejected with a specific error`, async () => {
    await expectError(() => open(content), code, "weights.pt: ", message);
  });
}
