/** Pairs of kinds of things that stand together in scenes for testing alone. */
import type { Thing } from "./scene.js";

/** One pair in so many. */
const heldOutOneIn = 10;

/** By a hash of the two names, whichever is given first. A kind makes no pair with itself. */
export function isHeldOut(a: Thing, b: Thing): boolean {
  if (a.name === b.name) return false;
  const [first, second] = a.name < b.name ? [a, b] : [b, a];
  return hash(`${first.name}\n${second.name}`) % heldOutOneIn === 0;
}

/** FNV-1a, then MurmurHash3's last step, for the low bits of the former depend on little. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
