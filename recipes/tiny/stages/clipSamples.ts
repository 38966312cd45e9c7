/** What the image tower learns from: drawn scenes and, where they are at hand, photographs, each with its text. */
import { randomStream } from "../../../src/base/random.js";
import { caption } from "../words/captions.js";
import { factsOf } from "../words/facts.js";
import { withArticle } from "../words/names.js";
import { augment } from "../world/augment.js";
import { coverOf } from "../world/cover.js";
import { drawScene } from "../world/draw.js";
import type { Photograph } from "../world/photographs.node.js";
import { redraw } from "../world/redraw.js";
import type { Style } from "../world/scene.js";
import { type SceneOptions, sceneAt } from "../world/scenes.js";
import type { Sources } from "./sources.js";

export interface ClipSample {
  /** Red, green, blue, row by row. */
  readonly pixels: Uint8Array;
  readonly text: string;
  /** The number of its class, −1 where it is of none or of several. */
  readonly label: number;
  /** The same of each patch, by the thing that it shows, row by row; undefined where nobody knows. */
  readonly patchLabels?: Int32Array | undefined;
}

/** Of samples, where there are photographs. */
const photographShare = 0.4;
/** Of scenes: those of a single thing, which the classes are learnt from. */
const singleShare = 0.6;

/** Sample 0, 1, 2, … for training, endless; a pure function. */
export function clipSample(sources: Sources, index: number): ClipSample {
  const { photographs, seed } = sources;
  const { uniform } = randomStream(seed, "samples of images with texts");
  if (photographs.train.length > 0 && uniform(index, 0) < photographShare) {
    const photograph = photographs.train[Math.floor(uniform(index, 1) * photographs.train.length)]!;
    const pixels = augment(photograph.pixels, randomStream(seed, "augmentation"), index);
    const shown = ofPhotograph(sources, photograph);
    // Most of a photograph is what it shows.
    return { ...shown, pixels, patchLabels: new Int32Array(sources.patches ** 2).fill(shown.label) };
  }
  const scene = ofScene(sources, {
    index,
    split: "train",
    ...(uniform(index, 2) < singleShare && { count: 1 }),
  });
  return { ...scene, pixels: redraw(scene.pixels, randomStream(seed, "other hands"), index) };
}

/** Scenes of one thing for testing, in given styles. */
export const singleTestScene = (sources: Sources, index: number, styles?: readonly Style[]): ClipSample =>
  ofScene(sources, { index, split: "test", count: 1, ...(styles && { styles }) });

export const ofPhotograph = ({ classes }: Sources, { pixels, kind }: Photograph): ClipSample => ({
  ...{ pixels, text: `photo of ${withArticle(kind)}`, label: classes.get(kind)! },
});

function ofScene(
  { things, sprites, classes, seed, imageSize, patches }: Sources,
  options: Omit<SceneOptions, "things" | "seed" | "colourOf">,
): ClipSample {
  const colourOf: SceneOptions["colourOf"] = (thing, style) => sprites.get(thing, style).edge;
  const scene = sceneAt({ things, seed, colourOf, ...options });
  const facts = factsOf(scene);
  const [only, ...others] = facts.counted;
  const label = others.length > 0 ? -1 : classes.get(only!.thing.name)!;
  const patchLabels = coverOf(scene, sprites, patches).map((number) =>
    number < 0 ? -1 : classes.get(scene.placed[number]!.thing.name)!,
  );
  return { pixels: drawScene(scene, sprites, { size: imageSize }), text: caption(facts), label, patchLabels };
}
