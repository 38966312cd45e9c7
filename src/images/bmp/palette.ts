/**
 * The palette of a BMP, and whether it is needed: greys in order make the image grey, black before white makes it
 * black and white.
 *
 * Facts: Pillow 12.3.0's BmpImagePlugin.py, and Palette.c: entries that are not there are black.
 */

export interface Palette {
  readonly mode: "1" | "L" | "P";
  /** The samples of each number from 0 to 255: red, green and blue in P, else one. */
  readonly samples: Uint8Array;
}

/**
 * @param table the entries, blue, green, red; fewer than `colours` where the file ends before
 * @param entry bytes of an entry
 * @returns undefined where Pillow takes it for no palette
 */
export function paletteOf(
  table: Uint8Array,
  { entry, colours }: { readonly entry: number; readonly colours: number },
): Palette | undefined {
  if (colours > 2 ** 16) return undefined;
  const grey = (i: number) => (colours === 2 ? 255 * i : i & 255);
  const isGreys = Array.from({ length: colours }, (_, i) => i).every((i) =>
    [0, 1, 2].every((c) => table[i * entry + c] === grey(i)),
  );
  if (isGreys) {
    const black = colours === 2;
    return {
      mode: black ? "1" : "L",
      samples: Uint8Array.from({ length: 256 }, (_, i) => (black ? 255 * i : i)),
    };
  }
  const whole = Math.trunc(table.length / entry);
  if (whole > 256) return undefined;
  const samples = new Uint8Array(3 * 256);
  for (let i = 0; i < whole; i++) {
    for (let c = 0; c < 3; c++) samples[3 * i + c] = table[i * entry + 2 - c]!;
  }
  return { mode: "P", samples };
}
