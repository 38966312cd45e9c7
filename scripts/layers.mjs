/**
 * The layers of `src/`, lowest first: a folder imports from lower layers or from itself, never up and never sideways.
 * The number is a folder's budget in lines: a question ("is this still one idea?"), not a wall.
 */
export const layers = [
  { base: 700 },
  { graph: 2600, runtime: 1800, checkpoints: 2250, text: 1050, images: 1250 },
  { models: 1500, onnx: 700 },
  { backend: 1500 },
  { generate: 1400 },
  { api: 2700 },
  {},
  { cli: 1300 },
];
