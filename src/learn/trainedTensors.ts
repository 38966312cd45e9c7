/**
 * What is trained, and where it lies: all trained tensors one after the other in one array of float32, so that an
 * optimizer, a checkpoint and an average over processes each go over one piece of memory.
 *
 * Reference: open_flamingo/src/factory.py (what is trained) and open_flamingo/train/train.py, `get_grouped_params`.
 */
import { elementCount } from "../base/dtypes.js";

/** A trained tensor and its place. */
export interface TrainedTensor {
  /** The checkpoint's name for it. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Where it begins, in numbers. */
  readonly offset: number;
  /** Those rows of the checkpoint's tensor that are trained; undefined: all of it. */
  readonly rows?: readonly number[] | undefined;
}

export interface TrainedTensors {
  readonly tensors: readonly TrainedTensor[];
  /** Those with weight decay come first; where the others begin, in numbers. */
  readonly withoutDecay: number;
  /** Numbers in all. What lies between two tensors is 0 and stays 0. */
  readonly length: number;
}

/** Tensors begin at multiples of 64 bytes. */
const alignment = 16;

/** Of a Flamingo: the resampler and the gated blocks, and what of the embedding is. */
export const isTrained = (name: string): boolean => /^perceiver\.|\.gated_cross_attn_layer\./.test(name);

/** Of a Flamingo: of the gated blocks everything decays, norms and gates included; of the rest nothing. */
export const hasWeightDecay = (name: string): boolean => name.includes("gated_cross_attn");

/**
 * Gives each tensor its place: those with decay first, otherwise in the order given.
 *
 * @param decays which of them have weight decay; a Flamingo's when left out
 */
export function placeTensors(
  given: readonly Omit<TrainedTensor, "offset">[],
  decays: (tensor: Omit<TrainedTensor, "offset">) => boolean = ({ name }) => hasWeightDecay(name),
): TrainedTensors {
  let length = 0;
  const place = (each: Omit<TrainedTensor, "offset">): TrainedTensor => {
    const offset = length;
    length += alignment * Math.ceil(elementCount(each.shape) / alignment);
    return { ...each, offset };
  };
  const decaying = given.filter((each) => decays(each)).map(place);
  const withoutDecay = length;
  const others = given.filter((each) => !decays(each)).map(place);
  return { tensors: [...decaying, ...others], withoutDecay, length };
}

/** The part of a flat array that is a tensor's: the same memory. */
export const viewOf = (flat: Float32Array, { offset, shape }: TrainedTensor): Float32Array =>
  flat.subarray(offset, offset + elementCount(shape));
