/**
 * What OpenFlamingo (Python) saves and resumes from: the trained part of a model as a bare state dict, or in a training
 * checkpoint with the state of optimizer and schedule.
 *
 * Reference: open_flamingo/train/train_utils.py, `save_checkpoint` and `filter_state_dict_to_trainable`; train/train.py,
 * `get_grouped_params`; torch's `Optimizer.state_dict` and `LambdaLR.state_dict`.
 */
import type { TorchValue } from "../checkpoints/torch/writePickle.js";
import type { WrittenTensor } from "../checkpoints/writtenTensor.js";

type Tensors = ReadonlyMap<string, WrittenTensor>;

/** A training checkpoint's values, tensors by the parameters' names. */
export interface TorchTraining {
  /** Epochs done, from 0: it is resumed with the next one. */
  readonly epoch: number;
  readonly parameters: Tensors;
  /** The optimizer's mean of gradients and of their squares, `exp_avg` and `exp_avg_sq`. */
  readonly expAvg: Tensors;
  readonly expAvgSq: Tensors;
  /** Steps that the optimizer has done. */
  readonly steps: number;
  /** The learning rate after warm-up, and that of the step to come. */
  readonly learningRate: { readonly initial: number; readonly now: number };
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Of the gated cross-attention; the other parameters have none. */
  readonly weightDecay: number;
}

/** The trained part alone: `model.load_state_dict(torch.load(path), strict=False)`. */
export const trainedPart = (parameters: Tensors): TorchValue => ({
  orderedDict: new Map(inOrder(parameters).map(([name, tensor]) => [name, { tensor }])),
});

/** What `--resume_from_checkpoint` takes. */
export function trainingCheckpoint(training: TorchTraining): TorchValue {
  const { epoch, parameters, expAvg, expAvgSq, steps, learningRate, betas, eps, weightDecay } = training;
  const ordered = inOrder(parameters);
  const decayed = ordered.filter(([name]) => isDecayed(name));
  const others = ordered.filter(([name]) => !isDecayed(name));
  const step = (): TorchValue => ({ tensor: { shape: [], data: Float32Array.of(steps) } });
  const stateOf = (name: string): TorchValue =>
    new Map([
      ["step", step()],
      ["exp_avg", { tensor: expAvg.get(name)! }],
      ["exp_avg_sq", { tensor: expAvgSq.get(name)! }],
    ]);
  const group = (of: typeof ordered, decay: number, first: number): TorchValue =>
    new Map<string, TorchValue>([
      ["weight_decay", { float: decay }],
      ["lr", { float: learningRate.now }],
      ["betas", { tuple: betas.map((beta) => ({ float: beta })) }],
      ["eps", { float: eps }],
      ["amsgrad", false],
      ["foreach", null],
      ["maximize", false],
      ["capturable", false],
      ["differentiable", false],
      ["fused", null],
      ["initial_lr", { float: learningRate.initial }],
      ["params", of.map((_, i) => first + i)],
    ]);
  const both = (rate: number): TorchValue => [{ float: rate }, { float: rate }];
  const optimizer = new Map<string, TorchValue>([
    ["state", new Map([...decayed, ...others].map(([name], i) => [i, stateOf(name)]))],
    ["param_groups", [group(decayed, weightDecay, 0), group(others, 0, decayed.length)]],
  ]);
  const schedule = new Map<string, TorchValue>([
    ["base_lrs", both(learningRate.initial)],
    ["last_epoch", steps],
    ["verbose", false],
    ["_step_count", steps + 1],
    ["_get_lr_called_within_step", false],
    ["_last_lr", both(learningRate.now)],
    ["lr_lambdas", [new Map(), new Map()]], // its functions, of which nothing is kept
  ]);
  return new Map<string, TorchValue>([
    ["epoch", epoch],
    // The name of a parameter in what wraps the model for several processes.
    [
      "model_state_dict",
      { orderedDict: new Map(ordered.map(([name, tensor]) => [`module.${name}`, { tensor }])) },
    ],
    ["optimizer_state_dict", optimizer],
    ["lr_scheduler_state_dict", schedule],
  ]);
}

const isDecayed = (name: string): boolean => name.includes("gated_cross_attn");

/**
 * Parameters in the order in which a PyTorch model has them: an optimizer's state knows them by their place alone. The
 * order is that in which the modules of OpenFlamingo (Python) are written.
 */
export const inOrder = (parameters: Tensors): [string, WrittenTensor][] =>
  [...parameters].sort(([a], [b]) => compare(a.split("."), b.split(".")));

/** Parts of names, in the order of the modules; any others, such as those of the embedding, come where "" stands. */
const parts = [
  ...["perceiver", "lang_encoder", "latents", "", "blocks", "attn_gate", "ff_gate", "attn", "ff"],
  ...["layers", "norm_media", "norm_latents", "norm", "to_q", "to_kv", "to_out", "weight", "bias"],
];
const rank = new Map(parts.map((part, i) => [part, i]));

function compare([a, ...afterA]: readonly string[], [b, ...afterB]: readonly string[]): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  if (a === b) return compare(afterA, afterB);
  if (/^\d+$/.test(a) && /^\d+$/.test(b)) return Number(a) - Number(b);
  const place = (part: string) => rank.get(part) ?? rank.get("")!;
  return place(a) - place(b) || (a < b ? -1 : 1);
}
