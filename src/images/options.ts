/** The options of reading an image, checked, with their defaults. */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import type { ImageOptions, Orientation } from "./image.js";

/** `maxPixels` is that above which Pillow takes an image for a decompression bomb. */
const defaults = { maxBytes: 2 ** 30, maxPixels: 178_956_970, maxSeconds: 30 };

export type CheckedImageOptions = Readonly<typeof defaults> & { readonly orientation: Orientation };

/** @throws OpenFlamingoError `usage` for a limit that is no number above 0, and for another orientation */
export function parseImageOptions(options: ImageOptions): CheckedImageOptions {
  const { orientation = "none" } = options;
  if (orientation !== "exif" && orientation !== "none") {
    throw new OpenFlamingoError(
      "usage",
      `orientation is ${quoted(orientation)}; it must be "exif" or "none"`,
      {
        hint: 'With "exif" images are turned upright, with "none" they are left as they are stored.',
      },
    );
  }
  const limits = { ...defaults };
  for (const name of ["maxBytes", "maxPixels", "maxSeconds"] as const) {
    const limit: unknown = options[name] ?? limits[name];
    if (typeof limit !== "number" || !(limit > 0)) {
      const shown = typeof limit === "number" ? limit : quoted(limit);
      throw new OpenFlamingoError("usage", `${name} is ${shown}; it must be a number above 0`, {
        hint: "Infinity is no limit.",
      });
    }
    limits[name] = limit;
  }
  return { ...limits, orientation };
}
