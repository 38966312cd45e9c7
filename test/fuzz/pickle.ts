/** Pickles in a sound archive, changed opcode by opcode. */
import {
  bytes,
  dictionary,
  float32,
  integer,
  le,
  orderedDict,
  pickle,
  storage,
  tensor,
  text,
  tuple,
  zip,
} from "../checkpoints/assemble.js";
import { hostilePickles } from "../hostile/pickles.js";
import { changed, otherBytes, otherList, otherNumber } from "./change.js";
import { latin1, readFile } from "./checkpoint.js";
import type { FuzzKind, Random } from "./kind.js";

/** How an opcode's argument is written: a number of so many bytes, a length and text, lines of text. */
type Form =
  | { kind: "number"; width: number }
  | { kind: "text"; width: number }
  | { kind: "lines"; count: number };

const forms: ReadonlyMap<string, Form> = new Map(
  [
    { kind: "number", width: 1, codes: "Khq\x80\x82" },
    { kind: "number", width: 2, codes: "M\x83" },
    { kind: "number", width: 4, codes: "Jjr\x84" },
    { kind: "number", width: 8, codes: "G\x95" },
    { kind: "text", width: 1, codes: "\x8a\x8cCU" },
    { kind: "text", width: 4, codes: "XBT\x8b" },
    { kind: "text", width: 8, codes: "\x8d\x8e\x96" },
    { kind: "lines", count: 1, codes: "ILFSVPgp" },
    { kind: "lines", count: 2, codes: "ci" },
  ].flatMap(({ codes, ...form }) => [...codes].map((code): [string, Form] => [code, form as Form])),
);

/** Those without an argument. */
const plain = "N\x88\x89()\x85\x86\x87t]ae}su\x94\x93QR\x81bo\x92012dl\x8f\x90\x91\x97\x98.";

/** An opcode, its argument without the length, and a length that lies. */
interface Opcode {
  readonly code: string;
  readonly argument: string;
  readonly length?: bigint;
}

const number = (text: string): bigint =>
  [...text].reduceRight((n, c) => (n << 8n) | BigInt(c.charCodeAt(0)), 0n);

function opcodesOf(file: string): Opcode[] {
  const opcodes: Opcode[] = [];
  for (let at = 0; at < file.length; ) {
    const code = file[at++]!;
    const form = forms.get(code);
    let start = at;
    if (form?.kind === "number") at += form.width;
    if (form?.kind === "text") {
      start += form.width;
      at = start + Number(number(file.slice(at, start)));
    }
    for (let line = 0; form?.kind === "lines" && line < form.count; line++) {
      at = file.indexOf("\n", at) + 1 || file.length;
    }
    opcodes.push({ code, argument: file.slice(start, at) });
  }
  return opcodes;
}

function written({ code, argument, length }: Opcode): string {
  const form = forms.get(code);
  if (form?.kind !== "text") return code + argument;
  return code + le(length ?? argument.length, form.width) + argument;
}

const lines = [
  ["os", "system"],
  ["collections", "OrderedDict"],
  ["torch._utils", "_rebuild_tensor_v2"],
  ["torch._utils", "_rebuild_parameter"],
  ["torch", "Size"],
  ["torch", "FloatStorage"],
  ["torch", "HalfStorage"],
  ["torch", "bfloat16"],
  ["__torch__", "M"],
].map(([module, member]) => `${module}\n${member}\n`);
const words = [
  "",
  "storage",
  "model_state_dict",
  "module.w",
  "w",
  "0",
  "1",
  "__proto__",
  "os",
  "system",
  "x".repeat(301),
];

function argumentOf(random: Random, code: string): string {
  const form = forms.get(code);
  if (form === undefined) return "";
  if (form.kind === "text") return random.pick(words);
  if (form.kind === "lines") return form.count === 2 ? random.pick(lines) : `${random.pick(words)}\n`;
  return le(otherNumber(random, BigInt(random.below(4))), form.width);
}

function newOpcode(random: Random): Opcode {
  const code = random.once(16)
    ? String.fromCharCode(random.below(256))
    : random.pick([...plain, ...plain, ...forms.keys()]);
  return { code, argument: argumentOf(random, code) };
}

function otherOpcode(random: Random, { code, argument }: Opcode): Opcode {
  const form = forms.get(code);
  switch (random.below(form ? 5 : 1)) {
    case 0:
      return newOpcode(random);
    case 1: // one with an argument of the same form
      return { code: random.pick([...forms.keys()].filter((key) => forms.get(key) === form)), argument };
    case 2:
      return { code, argument, length: otherNumber(random, BigInt(argument.length)) };
    case 3:
      return { code, argument: argumentOf(random, code) };
    default:
      if (form?.kind === "number")
        return { code, argument: le(otherNumber(random, number(argument)), form.width) };
      return { code, argument: otherBytes(random, argument) };
  }
}

const w = tensor({ size: 12, shape: [3, 4], strides: [4, 1] });
const seeds = [
  pickle(dictionary({ w })),
  pickle(`${orderedDict}(${text("w")}${w}q\x07${text("v")}h\x07u${dictionary({ _metadata: orderedDict })}b`),
  pickle(
    dictionary({
      epoch: "K\x03",
      model_state_dict: dictionary({
        "module.w": w,
        v: tensor({ type: "HalfStorage", key: "1", size: 8, offset: 1, shape: [2, 2], strides: [1, 3] }),
      }),
      optimizer_state_dict: dictionary({ lr: `G${le(0, 8)}`, step: tuple("\x88", "N", integer(2 ** 40)) }),
    }),
  ),
  pickle(`c__torch__\nM\n)\x81${dictionary({ inner: `c__torch__\nM\n)\x81${dictionary({ w })}b`, w })}b`),
  pickle(
    dictionary({
      w: `ctorch._utils\n_rebuild_parameter\n${tuple(w, "\x88", orderedDict)}R`,
      s: storage("IntStorage", "0", 12),
    }),
  ),
  `\x80\x04\x95${le(30, 8)}}\x94(\x8c\x01w\x94\x8c\x0ctorch._utils\x94\x8c\x12_rebuild_tensor_v2\x94\x93\x94` +
    `(${w.slice(w.indexOf("\n(") + 2, -1)}Ru.`,
];
const hostile = hostilePickles.map((row) => row.bytes).filter((file) => file.length < 2000);
// Three times in four a sound one, else one that is broken already.
const corpus = [
  ...Array<string[]>(Math.ceil((3 * hostile.length) / seeds.length))
    .fill(seeds)
    .flat(),
  ...hostile,
].map(bytes);

const numbers = float32(...Array(12).keys());
const archive = (file: string): string =>
  zip([
    { name: "m/data.pkl", data: file },
    { name: "m/data/0", data: numbers },
    { name: "m/data/1", data: "\0\x3c".repeat(8) },
  ]);

/** A state dict of one tensor on a storage that is there, seen in a way that may be none. */
function anyTensor(random: Random): string {
  const type = random.pick(["FloatStorage", "FloatStorage", "HalfStorage", "LongStorage", "ByteStorage"]);
  const axes = () =>
    Array.from({ length: random.pick([0, 1, 2, 2, 3, 3, 4, 65]) }, () =>
      Number(random.once(8) ? otherNumber(random, 12n) : random.pick([0n, 1n, 1n, 2n, 3n, 4n, 12n])),
    );
  const shape = axes();
  const given = {
    type,
    key: "0",
    size: { FloatStorage: 12, HalfStorage: 24, LongStorage: 6 }[type] ?? 48,
    offset: random.pick([0, 0, 0, 1, 11, -1, -12]),
    shape,
    strides: random.once(8)
      ? axes()
      : shape.map((_, i) => random.pick([0, 0, 1, 1, 2, 4, 12, -1, -4, 4 ** i])),
  };
  return pickle(dictionary({ w: tensor(given) }));
}

export const pickleKind: FuzzKind = {
  name: "pickle",
  seeds: () => corpus,
  mutate(random, seed) {
    if (random.once(4)) return bytes(anyTensor(random));
    const replaced = (list: Opcode[], at: number, ...by: Opcode[]) => list.toSpliced(at, 1, ...by);
    const opcodes = changed(random, opcodesOf(latin1(seed)), [
      (list) => otherList(random, list),
      (list) => {
        const at = random.below(list.length);
        return list[at] ? replaced(list, at, otherOpcode(random, list[at])) : list;
      },
      (list) => {
        const at = random.below(list.length);
        return list[at] ? replaced(list, at, otherOpcode(random, list[at])) : list;
      },
      (list) => list.toSpliced(random.below(list.length + 1), 0, newOpcode(random)),
    ]);
    const file = opcodes.map(written).join("");
    return bytes(random.once(16) ? otherBytes(random, file) : file);
  },
  run(input, signal) {
    const file = archive(latin1(input));
    return readFile(file, signal, file.lastIndexOf(numbers));
  },
};
