/** The options of reading an image, checked, with their defaults. */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/json.js";
import type { ImageOptions } from "./image.js";

/** `maxPixels` is that above which Pillow takes an image for a decompression bomb. */
const defaults = { maxBytes: 2 ** 30, maxPixels: 178_956_970, maxSeconds: 30 };

export interface CheckedImageOptions {
  readonly maxBytes: number;
  readonly maxPixels: number;
  readonly maxSeconds: number;
  readonly orientation: "exif" | "none";
}

/**
 * @param others names that the caller takes beside these options
 * @throws OpenFlamingoError `usage` for an unknown name, a limit that is no number above 0, another orientation
 */
export function parseImageOptions(
  options: ImageOptions,
  others: readonly string[] = [],
): CheckedImageOptions {
  const names = [...Object.keys(defaults), "orientation"];
  const unknown = Object.keys(options).find((name) => !names.includes(name) && !others.includes(name));
  if (unknown !== undefined) {
    throw new OpenFlamingoError("usage", `${quoted(unknown)} is no option of reading an image`, {
      hint: `The options are ${names.join(", ")}.`,
    });
  }
  const { orientation = "none" } = options;
  if (orientation !== "exif" && orientation !== "none") {
    throw new OpenFlamingoError(
      "usage",
      `orientation is ${quoted(orientation)}, and must be "exif" or "none"`,
      {
        hint: 'With "exif" images are turned upright, with "none" they are left as they are stored.',
      },
    );
  }
  const limit = (name: keyof typeof defaults) => {
    const value: unknown = options[name] ?? defaults[name];
    if (typeof value === "number" && value > 0) return value;
    const shown = typeof value === "number" ? value : quoted(value);
    throw new OpenFlamingoError("usage", `${name} is ${shown}, and must be a number above 0`, {
      hint: "Infinity is no limit.",
    });
  };
  return {
    maxBytes: limit("maxBytes"),
    maxPixels: limit("maxPixels"),
    maxSeconds: limit("maxSeconds"),
    orientation,
  };
}
