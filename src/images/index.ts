/** Images: decoded pixels in, the vision tower's float32 out. Decoding needs Node: `decode.node.ts`. */
export { toRgb } from "./convert.js";
export type { ImageLimits, ImageOptions, ImageSource, Orientation, Raster } from "./image.js";
export { type Preprocessing, preprocess, toSquare } from "./preprocess.js";
