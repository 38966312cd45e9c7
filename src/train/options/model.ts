/** Options: what is trained, and with which numbers. */
export const modelOptions = {
  model: {
    kind: "model",
    default: undefined,
    reference: "--vision_encoder_path",
    help: "the model whose connectors are trained: the folder of a model with its checkpoints, or a released model; the one that comes with the package if left out. A path in a settings file that is relative begins with `./` or `../`",
  },
  fromScratch: {
    kind: "boolean",
    default: false,
    help: "the connectors begin with random numbers, not with those of the model's checkpoint, whose file need not be there",
  },
  gateStart: {
    kind: "number",
    default: 0,
    min: -8,
    max: 8,
    help: "what gates begin with, with `fromScratch`; what they let through is its tanh. 0: the language model is at first what it was; from 0.5 a small model begins to learn sooner",
  },
  crossAttnEveryNLayers: {
    kind: "integer",
    default: undefined,
    min: 1,
    max: 96,
    reference: "--cross_attn_every_n_layers",
    help: "how many blocks of the language model come between gated blocks; as the model has it if left out, and with `fromScratch` alone another",
  },
  freezeLmEmbeddings: {
    kind: "boolean",
    default: false,
    reference: "--freeze_lm_embeddings",
    help: "the embeddings of `<image>` and `<|endofchunk|>` are not trained; they are saved with the model all the same",
  },
  precision: {
    kind: "choice",
    default: "fp32",
    choices: ["fp32", "amp_bf16"],
    reference: "--precision",
    help: "`amp_bf16`: products of matrices in bfloat16 over weights kept in float32",
  },
  weights: {
    kind: "choice",
    default: "fp32",
    choices: ["fp32", "int8", "int4"],
    help: "the format that frozen matrices are kept in: `int8` and `int4` take less memory, and gradients are those of the numbers that they stand for",
  },
  gradientCheckpointing: {
    kind: "boolean",
    default: false,
    mayChange: true,
    reference: "--gradient_checkpointing",
    help: "blocks are computed again for the gradients, which takes less memory and more time",
  },
  memoryCheck: {
    kind: "boolean",
    default: true,
    mayChange: true,
    help: "a run that needs more memory than is free is an error before it is begun",
  },
  threads: {
    kind: "integer",
    default: undefined,
    min: 1,
    max: 1024,
    mayChange: true,
    help: "number of threads; all cores if left out",
  },
} as const;
