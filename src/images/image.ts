/**
 * An image before decoding (where it comes from) and after (its pixels in the file's own mode).
 *
 * The mode is kept, because the reference implementation resizes before it converts to RGB, each mode in its way.
 */

/**
 * A path or a `data:` URI as text; a URL object of `file:`, `data:` or, where there is a function to fetch it,
 * `http:` or `https:`; or the bytes of an image file, at once or as they come. Bytes in memory are copied when reading
 * begins; a response or a stream can be read once.
 */
export type ImageSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Response
  | ReadableStream<Uint8Array>;

/** The modes by Pillow's names, each with the samples of one pixel. */
export const channelsOf = {
  "1": 1, // black and white, kept as 0 and 255
  L: 1, // grey
  "I;16": 1, // grey in 16 bits
  "I;16B": 1, // the same from a big-endian file, which Pillow resizes in another way
  F: 1, // grey in float32, on any scale: 0 is black and 255 is white
  LA: 2, // grey and alpha
  P: 3, // palette, kept as the colours looked up: taking whole pixels gives the same before and after look-up
  RGB: 3,
  RGBA: 4,
  CMYK: 4, // 0 is no ink
} as const;

export type Mode = keyof typeof channelsOf;

/** Decoded pixels: rows from the top, pixels from the left, the samples of a pixel side by side. */
export type Raster = ByteRaster | WordRaster | FloatRaster;

export interface ByteRaster {
  readonly mode: Exclude<Mode, WordRaster["mode"] | "F">;
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface WordRaster {
  readonly mode: "I;16" | "I;16B";
  readonly width: number;
  readonly height: number;
  readonly data: Uint16Array;
}

export interface FloatRaster {
  readonly mode: "F";
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

export type RgbRaster = ByteRaster & { readonly mode: "RGB" };

/** What reading one image may cost; each limit is more than 0, and Infinity is none. */
export interface ImageLimits {
  /** A larger file is rejected; 1 GiB unless given: as many pixels as are allowed, uncompressed in 16-bit RGB. */
  readonly maxBytes?: number | undefined;
  /**
   * An image of more pixels is rejected before memory is taken for them; 178,956,970 unless given, as in Pillow.
   *
   * A pixel takes 1 to 4 bytes once it is decoded, and up to 9 on the way there, in AVIF up to 20.
   */
  readonly maxPixels?: number | undefined;
  /**
   * An image that is not there and decoded after so many seconds is rejected; 30 unless given.
   *
   * Work that goes on is stopped within two seconds, but for what a format decodes in one piece (AVIF, WebP,
   * interlaced PNG, progressive JPEG): that ends by itself, on a thread that nobody waits for.
   */
  readonly maxSeconds?: number | undefined;
}

/**
 * `"exif"`: an image is turned upright as its file's EXIF data say (or XMP, or in AVIF `irot` and `imir`), like
 * Pillow's `ImageOps.exif_transpose`. `"none"`: it is left as it is stored, as in OpenFlamingo.
 *
 * A TIFF is turned upright in either case: Pillow does so as it opens one.
 */
export type Orientation = "exif" | "none";

/** How images are read. */
export interface ImageOptions extends ImageLimits {
  /** Default: "none". */
  readonly orientation?: Orientation | undefined;
}

/** Until when an image is waited for. */
export interface Until {
  readonly seconds: number;
  /** Aborted when they are over, or when the user gave up. */
  readonly signal: AbortSignal;
}

/** An image file whose header is read and whose pixels are not yet. */
export interface OpenImage {
  readonly width: number;
  readonly height: number;
  /** What sets it apart from other images of its format, for people. */
  readonly kind: string;
  /** Absent where the format is read but not this kind of it. */
  readonly decode: ((until: Until) => Promise<Raster>) | undefined;
}
