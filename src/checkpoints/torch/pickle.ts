/**
 * Reads a pickle that holds plain data and the records of `records.ts`, and nothing else.
 *
 * Format: Python's Lib/pickletools.py, protocols 2 to 4. The table has the opcodes that torch writes; any
 * other opcode or name ends the reading where it stands. Nothing is ever imported or called.
 */
import { defaultLimits } from "../limits.js";
import { type PickleMachine, startMachine } from "./machine.js";
import { callBuilder, findStorage, newModule, type PickleValue, setAttributes } from "./records.js";

/**
 * The value that a pickle describes.
 *
 * @param name what messages call it
 * @throws OpenFlamingoError "checkpoint-rejected" for an opcode or name outside the list, "checkpoint-damaged"
 * for a pickle that ends early or makes no sense
 */
export function unpickle(bytes: Uint8Array, name: string, limits = defaultLimits): PickleValue {
  const machine = startMachine(bytes, name, limits);
  for (;;) {
    const code = machine.next();
    if (code === stop) break;
    const run = opcodes.get(code);
    if (run === undefined) {
      const opcode = rejectedOpcodes.get(code) ?? code;
      throw machine.faults.rejected(`has the opcode ${opcode}, which no tensor needs`);
    }
    run(machine);
  }
  const value = machine.pop();
  if (!machine.isEmpty()) throw machine.faults.damaged("ends with values left over");
  if (machine.bytesLeft() > 0) throw machine.faults.rejected("is followed by something else");
  return value;
}

const stop = 0x2e;

// biome-ignore format: a line an opcode
const opcodes: ReadonlyMap<number, (m: PickleMachine) => void> = new Map([
  [0x80, protocol],                                 // PROTO
  [0x95, frame],                                    // FRAME

  [0x4e, (m) => m.push(null)],                      // NONE
  [0x88, (m) => m.push(true)],                      // NEWTRUE
  [0x89, (m) => m.push(false)],                     // NEWFALSE
  [0x4b, (m) => m.push(m.u8())],                    // BININT1
  [0x4d, (m) => m.push(m.u16())],                   // BININT2
  [0x4a, (m) => m.push(m.i32())],                   // BININT
  [0x8a, (m) => m.push(integer(m.bytes(m.u8())))],  // LONG1
  [0x47, (m) => m.push(m.f64())],                   // BINFLOAT
  [0x8c, (m) => m.push(m.text(m.u8()))],            // SHORT_BINUNICODE
  [0x58, (m) => m.push(m.text(m.u32()))],           // BINUNICODE
  [0x8d, (m) => m.push(m.text(m.u64()))],           // BINUNICODE8
  [0x43, (m) => m.push(m.bytes(m.u8()))],           // SHORT_BINBYTES
  [0x42, (m) => m.push(m.bytes(m.u32()))],          // BINBYTES
  [0x8e, (m) => m.push(m.bytes(m.u64()))],          // BINBYTES8

  [0x28, (m) => m.mark()],                          // MARK
  [0x29, (m) => tuple(m, [])],                      // EMPTY_TUPLE
  [0x85, (m) => tuple(m, m.popLast(1))],            // TUPLE1
  [0x86, (m) => tuple(m, m.popLast(2))],            // TUPLE2
  [0x87, (m) => tuple(m, m.popLast(3))],            // TUPLE3
  [0x74, (m) => tuple(m, m.popToMark())],           // TUPLE
  [0x5d, (m) => m.pushContainer([], [])],           // EMPTY_LIST
  [0x61, (m) => m.append(m.popLast(1))],            // APPEND
  [0x65, (m) => m.append(m.popToMark())],           // APPENDS
  [0x7d, (m) => m.pushContainer(new Map(), [])],    // EMPTY_DICT
  [0x73, (m) => m.setItems(m.popLast(2))],          // SETITEM
  [0x75, (m) => m.setItems(m.popToMark())],         // SETITEMS

  [0x71, (m) => m.remember(m.u8())],                // BINPUT
  [0x72, (m) => m.remember(m.u32())],               // LONG_BINPUT
  [0x94, (m) => m.remember()],                      // MEMOIZE
  [0x68, (m) => m.recall(m.u8())],                  // BINGET
  [0x6a, (m) => m.recall(m.u32())],                 // LONG_BINGET

  [0x63, (m) => m.pushGlobal(m.line(), m.line())],  // GLOBAL
  [0x93, stackGlobal],                              // STACK_GLOBAL
  [0x51, persistent],                               // BINPERSID
  [0x52, reduce],                                   // REDUCE
  [0x81, newObject],                                // NEWOBJ
  [0x62, build],                                    // BUILD
] satisfies [number, (m: PickleMachine) => void][]);

function protocol(m: PickleMachine): void {
  const version = m.u8();
  if (version < 2 || version > 4) throw m.faults.rejected(`is of protocol ${version}; 2 to 4 are read`);
}

/** A length for whoever reads ahead. */
function frame(m: PickleMachine): void {
  const length = m.u64();
  const left = m.bytesLeft();
  if (length > left) throw m.faults.damaged(`has a frame of ${length} bytes, ${left} are left`);
}

function tuple(m: PickleMachine, items: PickleValue[]): void {
  m.pushContainer(Object.freeze(items), items);
}

function stackGlobal(m: PickleMachine): void {
  const member = m.pop();
  const module = m.pop();
  if (typeof module !== "string" || typeof member !== "string") {
    throw m.faults.damaged("has a name that is no text");
  }
  m.pushGlobal(module, member);
}

function persistent(m: PickleMachine): void {
  m.push(findStorage(m.pop(), m.faults));
}

function reduce(m: PickleMachine): void {
  const given = m.pop();
  m.push(callBuilder(m.pop(), given, m.faults));
}

function newObject(m: PickleMachine): void {
  const given = m.pop();
  m.push(newModule(m.pop(), given, m.faults));
}

function build(m: PickleMachine): void {
  const state = m.pop();
  setAttributes(m.top(), state, m.faults);
  m.nest(m.top(), [state]);
}

/** A little-endian two's complement integer of any length: a number where that is exact. */
function integer(bytes: Uint8Array): number | bigint {
  const unsigned = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const value = BigInt.asIntN(8 * bytes.length, unsigned);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** The opcodes that are not read, for messages: those of the first two lines import or call. */
// biome-ignore format: as a table
const rejectedOpcodes: ReadonlyMap<number, string> = new Map([
  [0x69, "INST"], [0x6f, "OBJ"], [0x92, "NEWOBJ_EX"], [0x50, "PERSID"],
  [0x82, "EXT1"], [0x83, "EXT2"], [0x84, "EXT4"],
  [0x49, "INT"], [0x4c, "LONG"], [0x8b, "LONG4"], [0x46, "FLOAT"], [0x53, "STRING"], [0x54, "BINSTRING"],
  [0x55, "SHORT_BINSTRING"], [0x56, "UNICODE"], [0x30, "POP"], [0x31, "POP_MARK"], [0x32, "DUP"],
  [0x64, "DICT"], [0x6c, "LIST"], [0x67, "GET"], [0x70, "PUT"], [0x8f, "EMPTY_SET"], [0x90, "ADDITEMS"], [0x91, "FROZENSET"],
  [0x96, "BYTEARRAY8"], [0x97, "NEXT_BUFFER"], [0x98, "READONLY_BUFFER"],
]);
