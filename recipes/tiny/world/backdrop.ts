/** Backgrounds for things to stand on: random ones, and of several the first on which all are seen well. */
import type { Choices } from "./choices.js";
import type { Background, Colour } from "./scene.js";

/** How far a background's colours should be from those of a thing's outline, as `distance` has it. */
const wellSeen = 120;
const attempts = 12;

/** @param edges colours of the outlines of the things on it */
export function chooseBackground(edges: readonly Colour[], choices: Choices): Background {
  let best: { background: Background; contrast: number } | undefined;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const background = randomBackground(choices);
    const contrast = contrastOf(background, edges);
    if (contrast >= wellSeen) return background;
    if (!best || contrast > best.contrast) best = { background, contrast };
  }
  return best!.background;
}

/** The least distance between a colour of the background and an outline. */
export function contrastOf(background: Background, edges: readonly Colour[]): number {
  const ends = coloursOf(background);
  const colours = background.kind === "plain" ? ends : [...ends, mixed(ends[0]!, ends[1]!, 0.5)];
  return Math.min(...edges.flatMap((edge) => colours.map((colour) => distance(edge, colour))));
}

function coloursOf(background: Background): readonly Colour[] {
  if (background.kind === "plain") return [background.colour];
  if (background.kind === "gradient") return [background.from, background.to];
  return background.colours;
}

/** Of red, green and blue, weighed roughly as the eye does; 0 to 765. */
function distance(a: Colour, b: Colour): number {
  const red = (a[0] + b[0]) / 2;
  const [r, g, blue] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  return Math.sqrt((2 + red / 256) * r * r + 4 * g * g + (2 + (255 - red) / 256) * blue * blue);
}

export const mixed = (a: Colour, b: Colour, share: number): Colour => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

const kinds = ["plain", "gradient", "clouds", "stripes", "checks", "dots"] as const;
const weights = [30, 25, 20, 9, 8, 8];

function randomBackground(choices: Choices): Background {
  const kind = kinds[choices.weighted(weights)]!;
  const colour = randomColour(choices);
  if (kind === "plain") return { kind, colour };
  if (kind === "gradient") {
    return { kind, from: colour, to: near(colour, 0.7, choices), angle: choices.between(0, 360) };
  }
  // A loud pattern would drown what stands on it.
  const colours = [colour, near(colour, 0.4, choices)] as const;
  if (kind === "clouds")
    return { kind, colours, size: choices.between(0.12, 0.5), variant: choices.below(2 ** 31) };
  return {
    kind,
    colours,
    size: choices.between(0.08, 0.25),
    angle: choices.pick([0, 0, 45, 90, choices.between(0, 180)]),
  };
}

/** Pale, strong, dark and grey ones. */
function randomColour(choices: Choices): Colour {
  const hue = choices.between(0, 360);
  switch (choices.weighted([40, 25, 15, 10, 10])) {
    case 0:
      return fromHue(hue, choices.between(0.05, 0.35), choices.between(0.85, 1));
    case 1:
      return fromHue(hue, choices.between(0.4, 0.9), choices.between(0.5, 0.95));
    case 2:
      return fromHue(hue, choices.between(0.1, 0.7), choices.between(0.08, 0.35));
    case 3:
      return [255, 255, 255];
    default:
      return fromHue(hue, choices.between(0, 0.06), choices.between(0.2, 0.9));
  }
}

/** @param share of the way to another colour */
const near = (colour: Colour, share: number, choices: Choices): Colour =>
  rounded(mixed(colour, randomColour(choices), share * choices.between(0.3, 1)));

/** @param hue in degrees @param saturation, value from 0 to 1, as in HSV */
function fromHue(hue: number, saturation: number, value: number): Colour {
  const channel = (offset: number) => {
    const k = (offset + hue / 60) % 6;
    return 255 * value * (1 - saturation * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return rounded([channel(5), channel(3), channel(1)]);
}

const rounded = ([red, green, blue]: Colour): Colour => [
  Math.round(red),
  Math.round(green),
  Math.round(blue),
];
