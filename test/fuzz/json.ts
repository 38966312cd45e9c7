/** Changes of a JSON text that leave it JSON, mostly: values, names, forms of numbers. */
import { changed, edges, otherBytes, otherList } from "./change.js";
import type { Random } from "./kind.js";

/** JSON as lists of pairs, so that a name can come twice; a number is the text that is written. */
type Node =
  | { kind: "raw"; text: string } // a number, a text in quotes, true, false, null
  | { kind: "list"; items: readonly Node[] }
  | { kind: "object"; pairs: readonly (readonly [name: string, value: Node])[] };

const raw = (text: string): Node => ({ kind: "raw", text });

function nodeOf(value: unknown): Node {
  if (Array.isArray(value)) return { kind: "list", items: value.map(nodeOf) };
  if (typeof value !== "object" || value === null) return raw(JSON.stringify(value));
  return {
    kind: "object",
    pairs: Object.entries(value).map(([name, item]) => [name, nodeOf(item)] as const),
  };
}

function written(node: Node): string {
  if (node.kind === "raw") return node.text;
  if (node.kind === "list") return `[${node.items.map(written).join(",")}]`;
  return `{${node.pairs.map(([name, value]) => `${JSON.stringify(name)}:${written(value)}`).join(",")}}`;
}

const odd = [
  "1e400",
  "-0",
  "1.5",
  "1.0",
  "1e0",
  "9007199254740993",
  "-1",
  "0.99999999999999999999",
  "1e-400",
];
const others = [
  "null",
  "true",
  "[]",
  "{}",
  '""',
  '"\\ud800"',
  "[[]]",
  `${"[".repeat(120)}${"]".repeat(120)}`,
];

/**
 * A changed text.
 *
 * @param words texts that may stand for names and values in this kind of file
 */
export function otherJson(random: Random, text: string, words: readonly string[]): string {
  const names = [...words, "__proto__", "constructor", "toString", "", "\u0000", "é"];
  const value = (node: Node): Node => {
    switch (random.below(5)) {
      case 0:
        return raw(random.pick(odd));
      case 1:
        return raw(String(random.pick(edges)));
      case 2:
        return raw(JSON.stringify(random.pick(names)));
      case 3:
        return raw(random.pick(others));
      default:
        return node.kind === "raw" && /^\d+$/.test(node.text)
          ? raw(String(Number(node.text) + random.pick([-4, -1, 1, 4, 8])))
          : node;
    }
  };
  /** A change somewhere in the tree. */
  const visit = (node: Node): Node => {
    const isDeep = !random.once(4);
    if (node.kind === "list" && node.items.length > 0) {
      if (!isDeep) return random.once(3) ? value(node) : { ...node, items: otherList(random, node.items) };
      const at = random.below(node.items.length);
      return { ...node, items: node.items.map((item, i) => (i === at ? visit(item) : item)) };
    }
    if (node.kind === "object" && node.pairs.length > 0) {
      const at = random.below(node.pairs.length);
      const replaced = (pair: (old: readonly [string, Node]) => readonly [string, Node]): Node => ({
        ...node,
        pairs: node.pairs.map((old, i) => (i === at ? pair(old) : old)),
      });
      if (isDeep) return replaced(([name, item]) => [name, visit(item)]);
      if (random.once(3)) return { ...node, pairs: otherList(random, node.pairs) };
      return random.once(2) ? value(node) : replaced(([, item]) => [random.pick(names), item]);
    }
    return value(node);
  };
  const tree = (old: string) => {
    try {
      return written(visit(nodeOf(JSON.parse(old))));
    } catch {
      return old; // a change before has left no JSON
    }
  };
  const letters = (old: string) => (random.once(8) ? otherBytes(random, old) : tree(old));
  return changed(random, text, [tree, tree, tree, letters]);
}
