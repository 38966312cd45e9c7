/** The bytes of a pickle with a place in them: opcodes, and the numbers and texts that follow them. */
import type { ReaderLimits } from "../limits.js";
import { damaged, rejected } from "../messages.js";
import { numbersIn, utf8 } from "../source.js";
import type { Faults } from "./records.js";

const advice =
  "Only what describes tensors is read; nothing in the file was run. Save the tensors alone: " +
  "torch.save(model.state_dict(), path), or as safetensors.";

/** @param name what messages call the pickle */
export function readPickle(bytes: Uint8Array, name: string, limits: ReaderLimits) {
  const numbers = numbersIn(bytes);
  let position = 0;
  let opcodeAt = 0;
  let steps = 0;

  const where = () => `${name}, byte ${opcodeAt}`;
  const faults: Faults = {
    damaged: (what) => damaged(where(), what),
    rejected: (what) => rejected(where(), what, advice),
  };

  /** Steps over `length` bytes and gives the place where they start. */
  const take = (length: number): number => {
    const left = bytes.length - position;
    if (length > left) throw faults.damaged(`asks for ${length} bytes, ${left} are left`);
    position += length;
    return position - length;
  };
  const u8 = () => numbers.getUint8(take(1));
  const takeBytes = (length: number) => bytes.slice(take(length), position);
  const text = (length: number): string => {
    const decoded = utf8(bytes.subarray(take(length), position));
    if (decoded === undefined) throw faults.damaged("has text that is not UTF-8");
    return decoded;
  };

  return {
    faults,
    /** The next opcode. */
    next(): number {
      opcodeAt = position;
      if (position === bytes.length) throw faults.damaged("ends without a STOP");
      if (++steps > limits.pickleSteps) throw faults.rejected(`has more than ${limits.pickleSteps} opcodes`);
      return u8();
    },
    u8,
    u16: () => numbers.getUint16(take(2), true),
    u32: () => numbers.getUint32(take(4), true),
    u64: () => Number(numbers.getBigUint64(take(8), true)),
    i32: () => numbers.getInt32(take(4), true),
    /** Big-endian, as the only number of a pickle. */
    f64: () => numbers.getFloat64(take(8)),
    bytes: takeBytes,
    text,
    /** Text up to the end of a line. */
    line(): string {
      const end = bytes.indexOf(10, position);
      if (end < 0) throw faults.damaged("has a name without an end");
      const found = text(end - position);
      position++;
      return found;
    },
    bytesLeft: () => bytes.length - position,
  };
}
