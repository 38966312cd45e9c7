/** Where the things of a scene stand: the image is cut into one part for each, so that none hides another. */
import type { Choices } from "./choices.js";
import type { Relation } from "./scene.js";

/** Places and sizes as in `Placed`. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Between things, and to the image's edge. */
const gap = 0.012;
/** A thing alone, in shares of the image's side. */
const alone = { least: 1 / 3, most: 0.9 };
/** The least size of a thing among several, in shares of what its part has room for. */
const leastOfPart = 0.68;

/**
 * @param rotations of the things, in degrees: what is turned needs more room
 * @param relation of the second thing, seen from the first; for two things
 */
export function layOut(rotations: readonly number[], choices: Choices, relation?: Relation): Place[] {
  const parts = partsOf({ left: 0, top: 0, width: 1, height: 1 }, rotations.length, choices, relation);
  const isSwapped = relation === "left of" || relation === "above";
  const ordered = relation === undefined ? choices.shuffled(parts) : isSwapped ? parts.reverse() : parts;
  const places = ordered.map((part, i) => placeIn(part, rotations[i]!, rotations.length, choices));
  return relation === undefined ? places : aligned(places, relation);
}

/** Cuts a part into as many; each cut goes through all of it, across its longer side. */
function partsOf(whole: Part, count: number, choices: Choices, relation?: Relation): Part[] {
  if (count === 1) return [whole];
  const first = count === 3 && choices.chance(0.5) ? 2 : Math.floor(count / 2);
  const isAcross =
    relation === undefined
      ? whole.width > whole.height || (whole.width === whole.height && choices.chance(0.5))
      : relation === "left of" || relation === "right of";
  // With three, the one that has a part for itself needs less than a half and more than a third.
  const share =
    (first === count - first ? 0.5 : first > count - first ? 0.57 : 0.43) + choices.between(-0.06, 0.06);
  const { left, top, width, height } = whole;
  const [one, other] = isAcross
    ? [
        { ...whole, width: share * width },
        { ...whole, left: left + share * width, width: (1 - share) * width },
      ]
    : [
        { ...whole, height: share * height },
        { ...whole, top: top + share * height, height: (1 - share) * height },
      ];
  return [...partsOf(one, first, choices), ...partsOf(other, count - first, choices)];
}

function placeIn(part: Part, rotation: number, count: number, choices: Choices): Place {
  const turned = extentOf(1, rotation);
  const room = (Math.min(part.width, part.height) - 2 * gap) / turned;
  const size =
    count === 1
      ? Math.min(room, choices.between(alone.least, alone.most))
      : room * choices.between(leastOfPart, 1);
  const half = gap + (size * turned) / 2;
  return {
    size,
    x: choices.between(part.left + half, part.left + part.width - half),
    y: choices.between(part.top + half, part.top + part.height - half),
  };
}

/** The side of the upright square around a turned one. */
export function extentOf(size: number, rotation: number): number {
  const angle = (rotation * Math.PI) / 180;
  return size * (Math.abs(Math.cos(angle)) + Math.abs(Math.sin(angle)));
}

/** Two things that are left and right of one another are not also far above and below, and the reverse. */
function aligned([a, b]: readonly Place[], relation: Relation): Place[] {
  const [along, across] =
    relation === "above" || relation === "below" ? (["y", "x"] as const) : (["x", "y"] as const);
  const most = 0.4 * Math.abs(b![along] - a![along]);
  const apart = Math.abs(b![across] - a![across]);
  if (apart <= most) return [a!, b!];
  const middle = (a![across] + b![across]) / 2;
  const nearer = (place: Place): Place => ({
    ...place,
    [across]: middle + ((place[across] - middle) * most) / apart,
  });
  return [nearer(a!), nearer(b!)];
}
