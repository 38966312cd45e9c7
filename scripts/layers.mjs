/**
 * The layers of `src/`, lowest first: a folder imports from lower layers or from itself, never up and never sideways.
 * The number is a folder's budget in lines: a question ("is this still one idea?"), not a wall.
 */
export const layers = [
  { base: 1400 },
  { graph: 2600, runtime: 1900, checkpoints: 2250, text: 1400, images: 2250, net: 700 },
  { models: 2100, onnx: 700, hub: 900 },
  { runner: 2100, released: 300 },
  { generate: 1400, prepare: 800 },
  { machine: 1300, quality: 400 },
  { api: 2900 },
  { cli: 1300 },
];
