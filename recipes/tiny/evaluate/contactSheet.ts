/** A picture of images that the model never saw with what it says of them: drawn by lot, right and wrong ones marked. */
import sharp from "sharp";
import { drawsAt } from "../words/draws.js";
import type { Answered } from "./answersFile.js";
import type { Task } from "./task.js";

/** What may stand on the sheet. */
export interface Shown {
  readonly task: Task;
  readonly answered: readonly Answered[];
}

export interface SheetOptions {
  /** A whole number from 0; another one gives another lot. */
  readonly seed: number;
  /** Default: 24. */
  readonly images?: number;
}

const columns = 6;
const [shown, margin, gap] = [160, 8, 10];
const [fontSize, lineHeight, lines] = [13, 16, 7];
/** Of a sans-serif letter, as a share of the font's size: fonts differ, so that it is rather too wide. */
const letter = 0.56;
const markWidth = 17;
const width = shown + 2 * margin;
const height = shown + 3 * margin + lines * lineHeight;

/**
 * @param from tasks whose last image is what they ask about; each answer is as likely as any other
 * @returns a PNG file; fewer images where there are not so many answers
 * @throws Error where there are none
 */
export async function contactSheet(
  from: readonly Shown[],
  { seed, images = 24 }: SheetOptions,
): Promise<Uint8Array> {
  const all = from.flatMap(({ task, answered }) => answered.map((each) => ({ task, answered: each })));
  if (all.length === 0) throw new Error("a contact sheet without answers");
  const lot = drawsAt(seed, "evaluate/contact sheet", 0).some(all, images);
  const [across, down] = [Math.min(columns, lot.length), Math.ceil(lot.length / columns)];
  const tiles = await Promise.all(
    lot.map(async ({ task, answered }, i) => ({
      input: await tile(task, answered),
      left: gap + (i % columns) * (width + gap),
      top: gap + Math.floor(i / columns) * (height + gap),
    })),
  );
  return sharp({
    create: {
      width: gap + across * (width + gap),
      height: gap + down * (height + gap),
      channels: 3,
      background: "white",
    },
  })
    .composite(tiles)
    .png()
    .toBuffer();
}

const colours = { right: "#1a7f37", wrong: "#c62828", plain: "#1f2328", quiet: "#57606a" };

async function tile(task: Task, answered: Answered): Promise<Buffer> {
  const { images } = await task.query(answered.index);
  const image = await sharp(images.at(-1)!).resize(shown, shown, { kernel: "cubic" }).png().toBuffer();
  const isRight = answered.right[task.measures[0]!.name] === true;
  const colour = isRight ? colours.right : colours.wrong;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
<rect x="1" y="1" width="${width - 2}" height="${height - 2}" rx="6" fill="white" stroke="${colour}" stroke-width="2"/>
${textOf(answered, isRight, colour)}
</svg>`;
  return sharp(Buffer.from(svg))
    .composite([{ input: image, left: margin, top: margin }])
    .png()
    .toBuffer();
}

/** Drawn, since a font may have no such letters. @param y of the line's base, in pixels */
function mark(isRight: boolean, colour: string, y: number): string {
  const path = isRight
    ? `M${margin} ${y - 5} l4 5 l7 -10`
    : `M${margin} ${y - 10} l10 10 M${margin + 10} ${y - 10} l-10 10`;
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2.5"/>`;
}

/** The question if there is one, what the model says behind its mark, and what was wanted where that is wrong. */
function textOf({ prompt, text, accepted }: Answered, isRight: boolean, colour: string): string {
  const [, question] = /Question:(.*) Short answer:$/.exec(prompt) ?? [];
  const asked = question === undefined ? [] : wrapped(question, 3);
  const said = wrapped(text === "" ? "(nothing)" : text, question === undefined ? 4 : 2);
  const wanted = isRight ? [] : wrapped(`wanted: ${accepted[0]!.trim()}`, question === undefined ? 3 : 2);
  const rows = [
    ...asked.map((row) => ({ row, fill: colours.plain })),
    ...said.map((row) => ({ row, fill: colour })),
    ...wanted.map((row) => ({ row, fill: colours.quiet })),
  ];
  const baseOf = (line: number) => shown + 2 * margin + 12 + line * lineHeight;
  const texts = rows.map(({ row, fill }, line) => {
    const x = line === asked.length ? margin + markWidth : margin;
    return `<text x="${x}" y="${baseOf(line)}" font-family="sans-serif" font-size="${fontSize}" fill="${fill}">${escaped(row)}</text>`;
  });
  return [mark(isRight, colour, baseOf(asked.length)), ...texts].join("\n");
}

/** Lines of whole words where they fit; what is more than `most` lines ends in an ellipsis. */
export function wrapped(text: string, most: number): readonly string[] {
  const fits = Math.floor((shown - markWidth) / (letter * fontSize));
  const rows: string[] = [""];
  for (const word of text.split(/\s+/)) {
    const row = rows.at(-1)!;
    const longer = row === "" ? word : `${row} ${word}`;
    if (longer.length <= fits) rows[rows.length - 1] = longer;
    else if (row === "") rows[rows.length - 1] = `${word.slice(0, fits - 1)}…`;
    else rows.push(word.length <= fits ? word : `${word.slice(0, fits - 1)}…`);
  }
  if (rows.length <= most) return rows;
  return [...rows.slice(0, most - 1), `${rows[most - 1]!.slice(0, fits - 1)}…`];
}

/** For XML, which has no control characters at all. */
const escaped = (text: string): string =>
  text
    .replace(/[^\P{C}]/gu, "\uFFFD")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
