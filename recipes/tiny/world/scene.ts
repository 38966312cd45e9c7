/** What is in an image of the recipe, before it is drawn: captions, questions and pixels are all made of this. */

/** The groups that the things come from, as Unicode names them. */
export const groups = ["animals", "food", "places", "activities", "objects"] as const;
export type Group = (typeof groups)[number];

/** A concrete thing that can be drawn in several styles. */
export interface Thing {
  /** In lower case, without an article: "hot dog". */
  readonly name: string;
  readonly group: Group;
  /** Whether its name is ever said in training; the others are there for learning a new word from a prompt. */
  readonly isNamed: boolean;
  /** Styles in which nobody drew it; left out: none. */
  readonly missingStyles?: readonly Style[];
  /** Whether mirrored or turned far it would be another thing: a clock, a waning moon. Left out: no. */
  readonly isHanded?: boolean;
}

/** Ways in which things are drawn that are trained on and tested: in colours, nearly every thing in each of them. */
export const trainedStyles = ["noto", "fluent-emoji", "fluent-emoji-flat", "twemoji", "emojione"] as const;
/** More hands, for training alone: in black, or without many of the things. */
export const furtherStyles = [
  "noto-v1",
  "fluent-emoji-high-contrast",
  "emojione-monotone",
  "fxemoji",
  "streamline-emojis",
] as const;
/** Whose drawings are in a package; the last is for testing alone. */
export const packagedStyles = [...trainedStyles, ...furtherStyles, "openmoji"] as const;
export type PackagedStyle = (typeof packagedStyles)[number];
/** For training alone too: the drawings of one style under those of another, which has the same outlines in black. */
export const outlinedStyles = {
  "fluent-emoji-outlined": ["fluent-emoji-flat", "fluent-emoji-high-contrast"],
  "emojione-outlined": ["emojione", "emojione-monotone"],
} as const satisfies Record<string, readonly [PackagedStyle, PackagedStyle]>;
export type OutlinedStyle = keyof typeof outlinedStyles;
export const outlinedNames = Object.keys(outlinedStyles) as readonly OutlinedStyle[];
export type Style = PackagedStyle | OutlinedStyle;

/** A thing in a scene. Places and sizes are shares of the image's side; a place is that of the middle, (0, 0) at the top left. */
export interface Placed {
  readonly thing: Thing;
  readonly style: Style;
  readonly x: number;
  readonly y: number;
  readonly size: number;
  /** In degrees, clockwise. */
  readonly rotation: number;
  readonly isMirrored: boolean;
  /** Left out: the colours as they were drawn. */
  readonly tint?: Tint;
}

/** A small change of a thing's colours. */
export interface Tint {
  /** A turn of the hue, in degrees. */
  readonly hue: number;
  /** Factors; 1 changes nothing. */
  readonly saturation: number;
  readonly brightness: number;
}

/** Red, green and blue, 0 to 255. */
export type Colour = readonly [number, number, number];

export type Background =
  | { readonly kind: "plain"; readonly colour: Colour }
  | { readonly kind: "gradient"; readonly from: Colour; readonly to: Colour; readonly angle: number }
  | {
      readonly kind: "stripes" | "checks" | "dots";
      readonly colours: readonly [Colour, Colour];
      /** Of one stripe, field or dot's field, as a share of the image's side. */
      readonly size: number;
      /** In degrees, clockwise. */
      readonly angle: number;
    }
  | {
      /** Smooth random patches of two colours. */
      readonly kind: "clouds";
      readonly colours: readonly [Colour, Colour];
      /** Of one patch, as a share of the image's side. */
      readonly size: number;
      /** Which of the endless patches, from 0. */
      readonly variant: number;
    };

/** One to four things on a background, from the back to the front. They do not hide one another. */
export interface Scene {
  readonly background: Background;
  readonly placed: readonly Placed[];
}

/** Things of a scene with how many there are of each, in the order in which a caption names them: from left to right, then down. */
export interface Counted {
  readonly thing: Thing;
  readonly count: number;
}

/** How the second thing of a scene lies, seen from the first. */
export const relations = ["left of", "right of", "above", "below"] as const;
export type Relation = (typeof relations)[number];
