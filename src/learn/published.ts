/**
 * What the published models were trained with and one would not choose: flaws of the reference implementation, each off
 * unless it is asked for.
 *
 * Reference: open_flamingo/train/train_utils.py, `train_one_epoch`, and open_flamingo/train/train.py.
 */
export interface Published {
  /**
   * Whether gradients are clipped after every batch of an accumulation, so that those of earlier batches shrink again
   * and again; otherwise once, before the step.
   */
  readonly clipEveryMicroBatch?: boolean | undefined;
  /** Whether warm-up begins with a rate of 0, so that the first step changes nothing; otherwise with 1/(steps + 1). */
  readonly zeroFirstLearningRate?: boolean | undefined;
  /** Whether a schedule's length is counted in batches where its steps are accumulations of several. */
  readonly scheduleIgnoresAccumulation?: boolean | undefined;
  /** Whether a step of fewer batches, an epoch's last, is divided by the number of a whole one all the same. */
  readonly divideByWholeAccumulation?: boolean | undefined;
  /**
   * Whether a loss of interleaved documents that is not a number takes away what was accumulated, that of image and text
   * pairs included, and the run goes on; otherwise it is an error.
   */
  readonly dropNotFinite?: boolean | undefined;
}
