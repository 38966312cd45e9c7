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

test("a bare state dict keeps its names", async () => {
  const checkpoint = await open(torchFile(dictionary({ "module.w": matrix }), [numbers]));
  expect([...checkpoint.tensors.keys()]).toEqual(["module.w"]);
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
  ["a list of tensors", torchFile(`(${matrix}t`, [numbers]), "holds a list, not a state dict"],
  ["one tensor", torchFile(matrix, [numbers]), "holds a tensor, not a state dict"],
  [
    "a list as the model's state",
    torchFile(dictionary({ model_state_dict: "(Nt" })),
    "holds a list, not a state dict",
  ],
  [
    "something between the tensors",
    torchFile(dictionary({ epoch: "K\x01" })),
    'holds a number under "epoch"',
  ],
  ["a key that is a number", torchFile(`}K\x07${matrix}s`, [numbers]), 'holds a tensor under "7"'],
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
