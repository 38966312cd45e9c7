/** Which format a file has, by its first bytes alone: names prove nothing, and no decoder may guess. */

/** How files of each format begin, whether or not it is read; a character is a byte, and ? is any byte. */
const beginnings = [
  ["JPEG", "\xff\xd8\xff"], // MPO and Ultra HDR too: a JPEG with more images behind the first
  ["PNG", "\x89PNG\r\n\x1a\n"],
  ["WebP", "RIFF????WEBP"],
  ["GIF", "GIF8"],
  ["TIFF", "II*\0"],
  ["TIFF", "MM\0*"],
  ["BigTIFF", "II+\0"],
  ["BigTIFF", "MM\0+"],
  ["BMP", "BM"],
  // Not any four bytes: "<!--ftypavif-->" begins an SVG, and a decoder that guesses would read it as one.
  ["AVIF", "\0\0\0?ftypavi"],
  ["HEIC", "\0\0\0?ftyphe"],
  ["HEIF", "\0\0\0?ftypmif1"],
  ["HEIF", "\0\0\0?ftypmsf1"],
  ["JPEG 2000", "\0\0\0\x0cjP  "],
  ["JPEG 2000", "\xff\x4f\xff\x51"],
  ["JPEG XL", "\0\0\0\x0cJXL "],
  ["JPEG XL", "\xff\x0a"],
  ["Photoshop", "8BPS"],
  ["ICO", "\0\0\x01\0"],
  ["PDF", "%PDF-"],
  ["PostScript", "%!PS"],
  ["SVG", "<svg"],
  ["SVG (XML)", "<?xml"],
] as const;

export type Format = (typeof beginnings)[number][0];

/** The format whose beginning these bytes have. */
export function formatOf(file: Uint8Array): Format | undefined {
  const format = beginnings.find(([, beginning]) =>
    [...beginning].every((byte, i) => byte === "?" || byte.charCodeAt(0) === file[i]),
  )?.[0];
  return format === "HEIF" && hasBrand(file, "avif") ? "AVIF" : format;
}

/** Whether a HEIF file, of which AVIF is a kind, names this one among those it keeps to. */
function hasBrand(file: Uint8Array, brand: string): boolean {
  const brands: readonly string[] = String.fromCharCode(...file.subarray(16, file[3])).match(/.{4}/gs) ?? [];
  return brands.includes(brand);
}
