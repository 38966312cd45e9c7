/** What the recipe's packages give; all but the first test need them installed. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isPhotographed, mendedNames, plainName } from "../../../../recipes/tiny/world/names.js";
import { areInstalled, howToInstall } from "../../../../recipes/tiny/world/packages.node.js";
import {
  furtherStyles,
  groups,
  packagedStyles,
  type Style,
  trainedStyles,
} from "../../../../recipes/tiny/world/scene.js";
import { openSprites } from "../../../../recipes/tiny/world/sprites.node.js";
import { type DrawnThing, loadThings } from "../../../../recipes/tiny/world/things.node.js";

if (!areInstalled()) console.log(`tests of the recipe's things are skipped: ${howToInstall} brings them`);

test("the README names every package with its version, licence and attribution", async () => {
  const folder = new URL("../../../../recipes/tiny/", import.meta.url);
  const readme = await readFile(new URL("README.md", folder), "utf8");
  const lock = JSON.parse(await readFile(new URL("package-lock.json", folder), "utf8")) as {
    packages: Record<string, { version: string; license: string }>;
  };
  const rows = readme
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.replaceAll("`", "").trim()));
  const named = Object.fromEntries(rows.map(([, name, version, , licence]) => [name, [version, licence]]));
  const locked = Object.entries(lock.packages).filter(([path]) => path !== "");
  expect(named).toEqual(
    Object.fromEntries(
      locked.map(([path, { version, license }]) => [path.replace("node_modules/", ""), [version, license]]),
    ),
  );
  expect(rows.every(([, , , , , attribution]) => attribution!.length > 3)).toBe(true);
});

describe.skipIf(!areInstalled())("with the packages", () => {
  const folders: string[] = [];
  const folder = async () => {
    folders.push(await mkdtemp(join(tmpdir(), "openflamingo-sprites-")));
    return folders.at(-1)!;
  };
  afterAll(() => Promise.all(folders.map((each) => rm(each, { recursive: true }))));
  let things: readonly DrawnThing[] = [];

  test("832 things in five groups, with names of their own", async () => {
    things = await loadThings();
    const sizes = groups.map((group) => things.filter((thing) => thing.group === group).length);
    expect(sizes).toEqual([156, 130, 206, 84, 256]);
    const names = new Set(things.map(({ name }) => name));
    expect(names.size).toBe(832);
    for (const name of names) {
      expect(name).toMatch(/^[a-z]+([ -][a-z]+)*$/);
      expect([...names]).not.toContain(`${name}s`);
    }
    expect(await loadThings()).toEqual(things);
  });

  test("every mended name is one of a thing", () => {
    const names = new Set(things.map(({ name }) => name));
    expect(mendedNames.filter((name) => !names.has(plainName(name)))).toEqual([]);
  });

  test("40 things are never named, eight of each group", () => {
    const unnamed = things.filter(({ isNamed }) => !isNamed);
    expect(groups.map((group) => unnamed.filter((thing) => thing.group === group).length)).toEqual([
      8, 8, 8, 8, 8,
    ]);
    expect(unnamed.filter(({ isHanded }) => isHanded)).toEqual([]);
    expect(unnamed.filter(({ name }) => isPhotographed(name))).toEqual([]);
  });

  test("EmojiOne lacks things, and not most; so do styles for training alone", () => {
    const drawn = (style: Style) =>
      things.filter(({ missingStyles }) => !missingStyles?.includes(style)).length;
    const counts = [...trainedStyles, ...furtherStyles, "openmoji" as const].map((style) => [
      style,
      drawn(style),
    ]);
    expect(Object.fromEntries(counts)).toEqual({
      ...{ noto: 832, "fluent-emoji": 832, "fluent-emoji-flat": 832, twemoji: 832, emojione: 630 },
      ...{ "noto-v1": 630, "fluent-emoji-high-contrast": 832, "emojione-monotone": 630 },
      ...{ fxemoji: 368, "streamline-emojis": 285 },
      openmoji: 832,
    });
  });

  test("sprites fill their square in each style, look like their thing, and come from the file at the second time", async () => {
    const some = ["red apple", "banana", "kangaroo"].map(
      (name) => things.find((thing) => thing.name === name)!,
    );
    const path = join(await folder(), "sprites.bin");
    let rendered = 0;
    const sprites = await openSprites(some, { path, progress: () => rendered++ });
    const drawings = packagedStyles.flatMap((style) =>
      some.filter(({ missingStyles }) => !missingStyles?.includes(style)),
    );
    expect(rendered).toBe(drawings.length);
    for (const style of [...trainedStyles, "openmoji"] as const) {
      const [apple, banana] = some.map((thing) =>
        thing.missingStyles?.includes(style) ? undefined : sprites.get(thing, style),
      );
      for (const sprite of [apple!, banana!]) {
        const { side, data } = sprite.levels[0]!;
        const drawn = (x: number, y: number) => data[4 * ((side + 2) * (y + 1) + x + 1) + 3]! > 0;
        const all = Array.from({ length: side }, (_, i) => i);
        const [wide, high] = [
          all.some((y) => drawn(0, y)) && all.some((y) => drawn(side - 1, y)),
          all.some((x) => drawn(x, 0)) && all.some((x) => drawn(x, side - 1)),
        ];
        expect([style, wide || high]).toEqual([style, true]);
      }
      const middle = (side: number) => 4 * ((side + 2) * (side / 2 + 8) + side / 2);
      const { side, data } = apple!.levels[0]!;
      const [red, green, blue] = data.subarray(middle(side), middle(side) + 3);
      expect([style, red! > 150, red! > 2 * green!, red! > 2 * blue!]).toEqual([style, true, true, true]);
    }
    // A pixel is that of the drawing in black, where it is one, and else that of the one in colours.
    const [black, coloured, both] = (["emojione-monotone", "emojione", "emojione-outlined"] as const).map(
      (style) => sprites.get(some[1]!, style).levels[0]!.data,
    ) as [Uint8Array, Uint8Array, Uint8Array];
    const counts = [0, 0];
    for (let at = 0; at < both.length; at += 4) {
      const above = black[at + 3]! === 255 ? 0 : black[at + 3]! === 0 ? 1 : undefined;
      if (above === undefined || coloured[at + 3]! < 255) continue;
      counts[above]!++;
      expect(both.subarray(at, at + 4)).toEqual((above === 0 ? black : coloured).subarray(at, at + 4));
    }
    expect(Math.min(...counts)).toBeGreaterThan(100);
    expect(() => sprites.get(some[2]!, "emojione-outlined")).toThrow('"kangaroo" in the style emojione');
    expect(() => sprites.get(some[2]!, "emojione")).toThrow('"kangaroo" in the style emojione');

    const again = await openSprites(some, { path, progress: () => rendered++ });
    expect(rendered).toBe(drawings.length);
    expect(again.get(some[0]!, "noto")).toEqual(sprites.get(some[0]!, "noto"));
  });
});
