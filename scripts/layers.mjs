/**
 * The layers of `src/`, lowest first: a folder imports from lower layers or from itself, never up and never sideways.
 * The number is a folder's budget in lines: a question ("is this still one idea?"), not a wall.
 */
export const layers = [
  { base: 2000 },
  { graph: 3100, runtime: 2000, checkpoints: 3150, text: 1400, images: 2250, net: 700 },
  { models: 2300, onnx: 700, hub: 1350, data: 2700 },
  { weights: 1100, released: 400, pack: 2450, runs: 1500 },
  { runner: 1600 },
  { generate: 1400, prepare: 800, learn: 1500 },
  { machine: 1300, quality: 400 },
  { api: 4350 },
  { train: 2900 },
  { cli: 2200 },
];
