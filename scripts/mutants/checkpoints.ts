/** Changes to `src/checkpoints`. */
import type { Mutant } from "./mutant.js";

export const checkpoints: readonly Mutant[] = [
  {
    what: "a safetensors file may hold bytes between two tensors",
    file: "checkpoints/safetensors.ts",
    from: "if (begin > position)",
    to: "if (begin > position + 4)",
    tests: ["checkpoints/safetensors.test.ts"],
  },
  {
    what: "a safetensors tensor may be given more bytes than it takes",
    file: "checkpoints/safetensors.ts",
    from: "if (end - begin !== bytes)",
    to: "if (end - begin < bytes)",
    tests: ["checkpoints/safetensors.test.ts"],
  },
  {
    what: "a safetensors file may go on behind its last tensor",
    file: "checkpoints/safetensors.ts",
    from: "if (position !== data)",
    to: "if (position > data)",
    tests: ["checkpoints/safetensors.test.ts"],
  },
  {
    what: "axes run on into each other in the file alone",
    file: "checkpoints/view.ts",
    from: " && outer.to === axis.to * axis.size",
    to: "",
    tests: ["checkpoints/view.test.ts"],
  },
  {
    what: "the CRC of a zip entry is not compared",
    file: "checkpoints/torch/zip.ts",
    from: "if (crc32(bytes) !== entry.crc)",
    to: "if (crc32(bytes) < 0)",
    tests: ["checkpoints/torch/zip.test.ts"],
  },
  {
    what: "a zip entry's own name may differ in its bytes",
    file: "checkpoints/torch/zip.ts",
    from: " &&\n    nameBytes.every((byte, i) => byte === numbers.getUint8(30 + i))",
    to: "",
    tests: ["checkpoints/torch/zip.test.ts"],
  },
  {
    what: "a tensor may reach one element beyond its storage",
    file: "checkpoints/torch/records.ts",
    from: "last >= storage.size",
    to: "last > storage.size",
    tests: ["checkpoints/torch/pickle.test.ts"],
  },
  {
    what: "elements of a tensor may overlap by one",
    file: "checkpoints/torch/records.ts",
    from: "stride > reach",
    to: "stride >= reach",
    tests: ["checkpoints/torch/pickle.test.ts"],
  },
  {
    what: "an opcode takes a value from under a mark",
    file: "checkpoints/torch/machine.ts",
    from: "if (stack.length === marks.at(-1))",
    to: "if (stack.length + 1 === marks.at(-1))",
    tests: ["checkpoints/torch/pickle.test.ts"],
  },
  {
    what: "marks may be one deeper than the limit",
    file: "checkpoints/torch/machine.ts",
    from: "marks.push(stack.length) > limits.pickleDepth",
    to: "marks.push(stack.length) > limits.pickleDepth + 1",
    tests: ["checkpoints/torch/pickle.test.ts"],
  },
  {
    what: "a second name of a gated block's tensor wins over the first",
    file: "checkpoints/match.ts",
    from: "place === given || matches.get(place)?.checkpoint !== checkpoint",
    to: "place !== given || matches.get(place)?.checkpoint !== checkpoint",
    tests: ["checkpoints/match.test.ts"],
  },
];
