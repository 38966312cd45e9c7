/** The state of a pickle machine: its reader, the stack with its marks, and the memo. */
import { quoted } from "../../base/quoted.js";
import type { ReaderLimits } from "../limits.js";
import { readPickle } from "./pickleReader.js";
import { findGlobal, isList, kindOf, type PickleValue } from "./records.js";

export type PickleMachine = ReturnType<typeof startMachine>;

/** Characters of a name that is looked up; those of TorchScript hold a path of modules. */
const longestGlobal = 1000;

/** @param name what messages call the pickle */
export function startMachine(bytes: Uint8Array, name: string, limits: ReaderLimits) {
  const reader = readPickle(bytes, name, limits);
  const { faults } = reader;
  const stack: PickleValue[] = [];
  const marks: number[] = []; // heights of the stack
  const memo = new Map<number, PickleValue>();
  const depths = new Map<PickleValue, number>(); // of containers

  const push = (value: PickleValue): void => {
    stack.push(value);
  };
  const pop = (): PickleValue => {
    if (stack.length === 0) throw faults.damaged("takes a value where there is none");
    if (stack.length === marks.at(-1)) throw faults.damaged("takes a value from under a mark");
    return stack.pop()!;
  };
  /** The uppermost value, which stays. */
  const top = (): PickleValue => {
    push(pop());
    return stack.at(-1)!;
  };

  const tooDeep = (what: string) => faults.rejected(`nests ${what} more than ${limits.pickleDepth} deep`);
  /** Notes that `items` now stand in `container`. */
  const nest = (container: PickleValue, items: readonly PickleValue[]): void => {
    const depth = items.reduce<number>((most, item) => Math.max(most, 1 + (depths.get(item) ?? 0)), 1);
    if (depth > limits.pickleDepth) throw tooDeep("values");
    depths.set(container, Math.max(depth, depths.get(container) ?? 0));
  };

  return {
    ...reader,
    push,
    pop,
    top,
    mark(): void {
      if (marks.push(stack.length) > limits.pickleDepth) throw tooDeep("marks");
    },
    popToMark(): PickleValue[] {
      const mark = marks.pop();
      if (mark === undefined) throw faults.damaged("goes back to a mark where there is none");
      return stack.splice(mark);
    },
    popLast: (count: number): PickleValue[] => Array.from({ length: count }, pop).reverse(),
    isEmpty: () => stack.length === 0 && marks.length === 0,

    nest,
    /** A new list, tuple or dictionary with `items` in it. */
    pushContainer(container: PickleValue, items: readonly PickleValue[]): void {
      nest(container, items);
      push(container);
    },
    append(items: PickleValue[]): void {
      const list = top();
      if (!isList(list)) throw faults.damaged(`appends to ${kindOf(list)}`);
      nest(list, items);
      for (const item of items) list.push(item);
    },
    setItems(items: PickleValue[]): void {
      const dictionary = top();
      if (!(dictionary instanceof Map)) throw faults.damaged(`sets items of ${kindOf(dictionary)}`);
      if (items.length % 2 === 1) throw faults.damaged("sets a key without a value");
      nest(dictionary, items);
      for (let i = 0; i < items.length; i += 2) {
        const key = items[i]!;
        if (typeof key === "object" && key !== null) throw faults.rejected(`has ${kindOf(key)} as a key`);
        dictionary.set(key, items[i + 1]!);
      }
    },
    pushGlobal(module: string, member: string): void {
      const global = `${module}.${member}`;
      // Compared letter by letter, each time that a short file uses one long name.
      const found = global.length <= longestGlobal ? findGlobal(global) : undefined;
      if (found === undefined) throw faults.rejected(`names ${quoted(global)}, which no tensor needs`);
      push(found);
    },
    remember(index = memo.size): void {
      memo.set(index, top());
    },
    recall(index: number): void {
      const value = memo.get(index);
      if (value === undefined) throw faults.damaged(`reads memo ${index}, which was not written`);
      push(value);
    },
  };
}
