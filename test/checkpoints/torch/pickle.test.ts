import { expect, test } from "vitest";
import { defaultLimits } from "../../../src/checkpoints/limits.js";
import { unpickle } from "../../../src/checkpoints/torch/pickle.js";
import {
  bytes,
  dictionary,
  expectError,
  integer,
  le,
  orderedDict,
  pickle,
  storage,
  tensor,
  text,
  tuple,
} from "../fixtures.js";

const load = (body: string) => unpickle(bytes(pickle(body)), "data.pkl");

test("plain data of protocols 2 to 4 is built", () => {
  expect(
    load(dictionary({ a: "K\x07", b: "M\x01\x02", c: "J\xff\xff\xff\xff", d: `G\x3f\xf8${le(0, 6)}` })),
  ).toEqual(
    new Map([
      ["a", 7],
      ["b", 513],
      ["c", -1],
      ["d", 1.5],
    ]),
  );
  expect(load("]q\x00(N\x88\x89e")).toEqual([null, true, false]);
  expect(load(tuple(")", "K\x01\x85", "K\x01K\x02\x86", "K\x01K\x02K\x03\x87"))).toEqual([
    [],
    [1],
    [1, 2],
    [1, 2, 3],
  ]);
  expect(load("\x8a\x02\x00\xff")).toBe(-256);
  expect(load("\x8a\x00")).toBe(0);
  expect(load(`\x8a\x09${le(2n ** 64n, 9)}`)).toBe(2n ** 64n);
  expect(load(text("naïve 🦩"))).toBe("naïve 🦩");
  const four = `\x80\x04\x95${le(17, 8)}]\x94(\x8c\x02hi\x94h\x01C\x01\xfe\x8e${le(0, 8)}e.`;
  expect(unpickle(bytes(four), "four")).toEqual(["hi", "hi", bytes("\xfe"), bytes("")]);
});

test("a memo gives the same value again", () => {
  const [one, two] = load("(]q\x05h\x05t") as unknown[];
  expect(one).toBe(two);
});

test("keys such as __proto__ and constructor are keys like any other", () => {
  const value = load(`}(${text("__proto__")}}${text("polluted")}\x88s${text("constructor")}K\x01u`);
  expect(value).toEqual(
    new Map<string, unknown>([
      ["__proto__", new Map([["polluted", true]])],
      ["constructor", 1],
    ]),
  );
  expect({}).not.toHaveProperty("polluted");
});

test("a tensor is a record of its storage, offset, shape and strides", () => {
  const record = {
    kind: "tensor",
    storage: { kind: "storage", key: "0", dtype: "bfloat16", size: 12 },
    offset: 2,
    shape: [3, 2],
    strides: [1, 5],
  };
  const body = tensor({ type: "BFloat16Storage", size: 12, offset: 2, shape: [3, 2], strides: [1, 5] });
  expect(load(body)).toEqual(record);
  expect(load(`ctorch._utils\n_rebuild_parameter\n${tuple(body, "\x88", orderedDict)}R`)).toEqual(record);
});

test("torch.Size and the names of torch's types are plain data", () => {
  expect(load(`ctorch\nSize\n${tuple(tuple("K\x02", "K\x03"))}R`)).toEqual([2, 3]);
  expect(load("ctorch\nbfloat16\n")).toBe("torch.bfloat16");
});

test("attributes of an OrderedDict are dropped, those of a TorchScript module are kept", () => {
  expect(load(`${orderedDict}${dictionary({ _metadata: orderedDict })}b`)).toEqual(new Map());
  expect(load(`c__torch__.clip\nModel\n)\x81${dictionary({ training: "\x89" })}b`)).toEqual({
    kind: "module",
    attributes: new Map([["training", false]]),
  });
});

const size12 = { size: 12, shape: [3, 4], strides: [4, 1] };
const rebuild = (...given: string[]) => `ctorch._utils\n_rebuild_tensor_v2\n${tuple(...given)}R`;
const parts = [
  storage("FloatStorage", "0", 12),
  "K\x00",
  tuple("K\x03"),
  tuple("K\x01"),
  "\x89",
  orderedDict,
];

/** What each pickle tries, and the answer: these ask for what is not done. */
const rejectedPickles: [what: string, body: string, message: string][] = [
  [
    "GLOBAL os.system",
    `cos\nsystem\n${tuple(text("id"))}R`,
    'byte 2: names "os.system", which no tensor needs',
  ],
  ["GLOBAL builtins.eval", `cbuiltins\neval\n${tuple(text("1"))}R`, 'names "builtins.eval"'],
  ["GLOBAL of a module's inside", "ctorch._utils\n_rebuild_tensor_v2.__globals__\n", "__globals__"],
  ["GLOBAL torch.load", "ctorch\nload\n", 'names "torch.load"'],
  ["GLOBAL numpy's rebuilder", "cnumpy.core.multiarray\n_reconstruct\n", "_reconstruct"],
  ["GLOBAL of a storage type that is not read", "ctorch\nComplexFloatStorage\n", "torch.ComplexFloatStorage"],
  ["GLOBAL of an object's inherited name", "ctoString\nconstructor\n", '"toString.constructor"'],
  ["STACK_GLOBAL posix.system", `${text("posix")}${text("system")}\x93`, 'names "posix.system"'],
  ["STACK_GLOBAL through the memo", `${text("os")}q\x000${text("x")}h\x00h\x00\x93`, "opcode POP"],
  ["REDUCE of a storage type", "ctorch\nFloatStorage\n)R", 'calls "torch.FloatStorage"'],
  ["REDUCE of text", `${text("os.system")}${tuple(text("id"))}R`, "calls text"],
  ["REDUCE of a tensor", `${tensor(size12)})R`, "calls a tensor"],
  ["REDUCE of a TorchScript class", "c__torch__.x\nX\n)R", 'calls "__torch__.x.X"'],
  ["OrderedDict made from a list", "ccollections\nOrderedDict\n(]tR", "builds an OrderedDict from something"],
  ["GLOBAL _codecs.encode", "c_codecs\nencode\n", 'names "_codecs.encode"'],
  ["GLOBAL of a very long name", `c__torch__\n${"x".repeat(1000)}\n`, 'names "__torch__.xxx'],
  ["INST", "(ios\nsystem\n", "has the opcode INST"],
  ["OBJ", "(cos\nsystem\no", 'names "os.system"'],
  ["OBJ of an allowed name", "(ctorch\nFloatStorage\no", "has the opcode OBJ"],
  [
    "NEWOBJ of an allowed name",
    "ccollections\nOrderedDict\n)\x81",
    'makes a new object of "collections.OrderedDict"',
  ],
  [
    "NEWOBJ of a TorchScript class with arguments",
    `c__torch__.x\nX\n${tuple("K\x01")}\x81`,
    "makes a module from something",
  ],
  ["NEWOBJ_EX", "ccollections\nOrderedDict\n)}\x92", "has the opcode NEWOBJ_EX"],
  ["EXT1", "\x82\x01", "has the opcode EXT1"],
  ["EXT2", "\x83\x01\x00", "has the opcode EXT2"],
  ["EXT4", "\x84\x01\x00\x00\x00", "has the opcode EXT4"],
  ["BUILD on a tensor", `${tensor(size12)}}b`, "sets attributes of a tensor"],
  ["BUILD on a list", "]}b", "sets attributes of a list"],
  ["BUILD on a name", "ctorch\nFloatStorage\n}b", 'sets attributes of "torch.FloatStorage"'],
  [
    "BUILD with a state that is no dictionary",
    `${orderedDict}]b`,
    "sets attributes of a dictionary from a list",
  ],
  ["PERSID", "Pid\n", "has the opcode PERSID"],
  ["a payload before a broken end", `cos\nsystem\n${tuple(text("id"))}R\xff`, 'names "os.system"'],
  ["a second pickle after the first", "N.cos\nsystem\n", "is followed by something else"],
  ["an opcode that there is not", "\xfe", "has the opcode 254"],
  ["a set", "\x8f", "has the opcode EMPTY_SET"],
  ["an old number", "I7\n", "has the opcode INT"],
  ["protocol 5", "\x80\x05N", "is of protocol 5"],
  ["protocol 0", "\x80\x00N", "is of protocol 0"],
  ["an id that is text", `${text("storage")}Q`, "persistent id that is no storage"],
  ["an id of another kind", `${tuple(text("module"), "N")}Q`, "persistent id that is no storage"],
  [
    "a storage of no allowed type",
    `${tuple(text("storage"), text("X"), text("0"), "N", "K\x01")}Q`,
    "no storage",
  ],
  ["a storage of negative size", storage("FloatStorage", "0", -1), "no storage"],
  ["a storage of 2^60", storage("FloatStorage", "0", 2 ** 60), "no storage"],
  [
    "a storage keyed by a number",
    `${tuple(text("storage"), "ctorch\nFloatStorage\n", "K\x00", "N", "K\x01")}Q`,
    'no storage: text, "torch.FloatStorage", a number, nothing, a number',
  ],
  [
    "a storage with a view of it",
    `${tuple(text("storage"), "ctorch\nFloatStorage\n", text("0"), "N", "K\x01", "N")}Q`,
    'no storage: text, "torch.FloatStorage", text, nothing, a number, nothing',
  ],
  ["a tensor that overlaps itself", tensor({ ...size12, strides: [2, 1] }), "whose elements overlap"],
  ["two axes of one stride", tensor({ size: 12, shape: [2, 2], strides: [1, 1] }), "whose elements overlap"],
  ["seven arguments", rebuild(...parts, "}"), "builds a tensor from 7 values"],
  ["LONG4 of 2^31 - 1", `\x8b${le(2 ** 31 - 1, 4)}`, "has the opcode LONG4"],
  ["marks nested 101 deep", "(".repeat(101), "nests marks more than 100 deep"],
  ["tuples nested 101 deep", `)${"\x85".repeat(100)}`, "nests values more than 100 deep"],
  ["lists nested 101 deep", `${"]".repeat(101)}${"a".repeat(100)}`, "nests values more than 100 deep"],
  [
    "dictionaries nested 101 deep",
    `${"}K\x00".repeat(100)}}${"s".repeat(100)}`,
    "nests values more than 100 deep",
  ],
  ["a list as a key", "}]Ns", "has a list as a key"],
];
for (const [what, body, message] of rejectedPickles) {
  test(`${what}: rejected with a specific error`, async () => {
    await expectError(() => load(body), "checkpoint-rejected", "data.pkl, byte ", message);
  });
}

/** These make no sense. */
const damagedPickles: [what: string, body: string, message: string][] = [
  ["STACK_GLOBAL of a list and a name", `]${text("system")}\x93`, "has a name that is no text"],
  ["STACK_GLOBAL of lists", "]]\x93", "has a name that is no text"],
  ["a tensor on a list", rebuild("]", ...parts.slice(1)), "builds a tensor on a list"],
  ["an offset beyond the storage", tensor({ ...size12, offset: 1 }), "reaches element 12 of a storage of 12"],
  [
    "strides beyond the storage",
    tensor({ ...size12, strides: [4, 2] }),
    "reaches element 14 of a storage of 12",
  ],
  [
    "a shape beyond the storage",
    tensor({ ...size12, shape: [4, 4] }),
    "reaches element 15 of a storage of 12",
  ],
  ["a negative offset", tensor({ ...size12, offset: -1 }), "an offset that is no count"],
  ["a negative stride", tensor({ ...size12, strides: [-4, 1] }), "strides that are no list of counts"],
  ["a negative size", tensor({ ...size12, shape: [-3, 4] }), "a shape that is no list of counts"],
  ["more strides than axes", tensor({ ...size12, strides: [4, 1, 1] }), "of 2 axes with 3 strides"],
  [
    "65 axes",
    tensor({ size: 1, shape: Array(65).fill(1), strides: Array(65).fill(0) }),
    "a shape that is no list of counts",
  ],
  [
    "a size of 2^53",
    tensor({ size: 1, shape: [2 ** 53], strides: [0] }),
    "a shape that is no list of counts",
  ],
  [
    "a product beyond 2^53",
    tensor({ size: 1, shape: [2 ** 30, 2 ** 30], strides: [0, 0] }),
    "of 1152921504606847000 elements",
  ],
  [
    "strides whose product is beyond 2^53",
    tensor({ ...size12, strides: [2 ** 52, 1] }),
    "reaches element 9007199254",
  ],
  [
    "a parameter of text",
    `ctorch._utils\n_rebuild_parameter\n${tuple(text("x"), "\x88", orderedDict)}R`,
    "no tensor",
  ],
  ["a torch.Size of text", `ctorch\nSize\n${tuple(text("x"))}R`, "no list of sizes"],
  ["a pickle that ends early", `X${le(100, 4)}abc`, "asks for 100 bytes, 4 are left"],
  ["BINUNICODE8 of 2^63", `\x8d${le(2n ** 63n, 8)}`, "asks for 9223372036854776000 bytes"],
  ["BINBYTES8 of 2^40", `\x8e${le(2n ** 40n, 8)}`, "asks for 1099511627776 bytes"],
  ["BINUNICODE of 2^32 - 1", `X${le(2 ** 32 - 1, 4)}`, "asks for 4294967295 bytes"],
  ["LONG1 longer than the file", "\x8a\xff\x01", "asks for 255 bytes"],
  ["FRAME of 2^62", `\x95${le(2n ** 62n, 8)}N`, "frame of 4611686018427388000 bytes"],
  ["a GLOBAL without an end", "ctorch", "a name without an end"],
  ["text that is not UTF-8", `X${le(2, 4)}\xc3\x28`, "text that is not UTF-8"],
  ["BINGET of nothing", "h\x00", "reads memo 0, which was not written"],
  ["LONG_BINGET of nothing", `j${le(2 ** 32 - 1, 4)}`, "reads memo 4294967295"],
  ["BINPUT of nothing", "q\x00", "takes a value where there is none"],
  ["a value taken from under a mark", "N(q\x00", "takes a value from under a mark"],
  ["TUPLE without a mark", "Nt", "goes back to a mark where there is none"],
  ["STOP with nothing", "", "takes a value where there is none"],
  ["STOP with two values", "NN", "ends with values left over"],
  ["STOP under a mark", "N(N", "ends with values left over"],
  ["APPEND to a dictionary", "}Na", "appends to a dictionary"],
  ["SETITEM of None", "NNNs", "sets items of nothing"],
  ["a call with text in place of arguments", `ctorch\nSize\n${text("x")}R`, 'calls "torch.Size" with text'],
  ["SETITEM of a list", "]NNs", "sets items of a list"],
  ["SETITEMS of one", "}(Nu", "sets a key without a value"],
];
for (const [what, body, message] of damagedPickles) {
  test(`${what}: damaged`, async () => {
    await expectError(() => load(body), "checkpoint-damaged", "data.pkl, byte ", message);
  });
}

test("a pickle above the limits is rejected", async () => {
  const limits = { ...defaultLimits, pickleSteps: 3 };
  const action = () => unpickle(bytes(pickle("NNNN")), "data.pkl", limits);
  await expectError(action, "checkpoint-rejected", "has more than 3 opcodes");
});

test("a pickle may hold itself", () => {
  const list = load("]q\x00h\x00a") as unknown[];
  expect(list[0]).toBe(list);
});

test("names too long for a message are cut in it", async () => {
  const error = await expectError(() => load(`c${"x".repeat(5000)}\ny\n`), "checkpoint-rejected", "xxx…");
  expect(error.message.length).toBeLessThan(250);
});

test("whole numbers keep their value", () => {
  for (const value of [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53 - 1)]) {
    expect(load(integer(value))).toBe(value);
  }
});
