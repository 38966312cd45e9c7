/** Pictures: decoded pixels in, the vision tower's float32 out. Decoding needs Node: `decode.node.ts`. */
export { toRgb } from "./convert.js";
export type { PictureLimits, PictureSource, Raster } from "./picture.js";
export { type Preprocessing, preprocess, toSquare } from "./preprocess.js";
