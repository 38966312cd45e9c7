/** Things with their style, place, size, turn and colours: all of a scene but what stands in it and on what. */
import type { Choices } from "./choices.js";
import { layOut } from "./layout.js";
import { type Placed, type Relation, relations, type Style, type Thing, type Tint } from "./scene.js";

/** How often two things of two kinds are laid out so that their relation is clear, where nobody asked for one. */
const relationShare = 0.6;
/** How often things of one kind have one style, and a scene one style for all. */
const sameStyle = { kind: 0.85, scene: 0.5 };
/** How often colours are changed a little, for styles that were never seen. */
const tinted = 0.7;

/**
 * @param styles to choose from; each thing is drawn in one of them at least
 * @param relation of the second of two things of different kinds, seen from the first
 * @throws Error where a relation is asked for of anything else
 */
export function place(
  things: readonly Thing[],
  { styles, relation }: { styles: readonly Style[]; relation: Relation | undefined },
  choices: Choices,
): Placed[] {
  const isPair = things.length === 2 && things[0]!.name !== things[1]!.name;
  if (relation && !isPair) throw new Error("a relation is one of two things of different kinds");
  const isRelated = isPair && choices.chance(relationShare);
  const rotations = things.map((thing) => rotationOf(thing, choices));
  const places = layOut(rotations, choices, relation ?? (isRelated ? choices.pick(relations) : undefined));
  const chosen = chooseStyles(things, styles, choices);
  return things.map((thing, i) => ({
    thing,
    style: chosen[i]!,
    ...places[i]!,
    rotation: rotations[i]!,
    isMirrored: thing.isHanded !== true && choices.chance(0.5),
    ...(choices.chance(tinted) && { tint: tintOf(choices) }),
  }));
}

function chooseStyles(things: readonly Thing[], styles: readonly Style[], choices: Choices): Style[] {
  const common = choices.chance(sameStyle.scene) ? choices.pick(styles) : undefined;
  const last = new Map<string, Style>();
  return things.map((thing) => {
    const drawn = styles.filter((style) => !thing.missingStyles?.includes(style));
    const earlier = last.get(thing.name);
    const isKept = earlier !== undefined && choices.chance(sameStyle.kind);
    const style = isKept ? earlier : common && drawn.includes(common) ? common : choices.pick(drawn);
    last.set(thing.name, style);
    return style;
  });
}

/** Mostly small; some are turned by up to 45 degrees. */
function rotationOf(thing: Thing, choices: Choices): number {
  if (thing.isHanded) return 3 * clamped(choices.normal(), 2);
  return choices.chance(0.15) ? choices.between(-45, 45) : 8 * clamped(choices.normal(), 2.5);
}

const tintOf = (choices: Choices): Tint => ({
  hue: 6 * clamped(choices.normal(), 2),
  saturation: choices.between(0.7, 1.25),
  brightness: choices.between(0.8, 1.12),
});

const clamped = (value: number, most: number) => Math.max(-most, Math.min(most, value));
