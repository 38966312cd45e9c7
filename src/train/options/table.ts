/** All options of the training, by their names. */
import { dataOptions } from "./data.js";
import type { OptionTable, ValuesOf } from "./kinds.js";
import { modelOptions } from "./model.js";
import { optimizerOptions } from "./optimizer.js";
import { publishedOptions } from "./published.js";
import { runOptions } from "./run.js";

/** Their groups, in the order of help and documentation. */
export const optionGroups = [
  { heading: "Model and precision", options: modelOptions },
  { heading: "Data", options: dataOptions },
  { heading: "Loss, optimizer and schedule", options: optimizerOptions },
  { heading: "Run", options: runOptions },
  { heading: "As published", options: publishedOptions },
] as const satisfies readonly { readonly heading: string; readonly options: OptionTable }[];

const table = {
  ...modelOptions,
  ...dataOptions,
  ...optimizerOptions,
  ...runOptions,
  ...publishedOptions,
} as const satisfies OptionTable;

/** All of them. */
export const trainingOptions: OptionTable = table;

/** A value for every option; those that have no default may be undefined. */
export type TrainingOptions = ValuesOf<typeof table>;

/** Flags of OpenFlamingo (Python) that no option stands for, with the reason. */
export const flagsWithoutOption: Readonly<Record<string, string>> = {
  "--offline": "`HF_HUB_OFFLINE=1` in the environment",
  "--vision_encoder_pretrained": "a model's folder names its vision encoder's weights: `model`",
  "--lm_path": "a model's folder names its language model: `model`",
  "--tokenizer_path": "a model's folder names its tokenizer: `model`",
  "--dist-url": "one process, for now: `rank` and `worldSize` share out data",
  "--dist-backend": "one process, for now",
  "--horovod": "one process, for now",
  "--no-set-device-rank": "one process, for now",
  "--fsdp": "one process, for now",
  "--fsdp_use_orig_params": "one process, for now",
  "--fsdp_sharding_strategy": "one process, for now",
  "--report_to_wandb":
    "nothing is sent anywhere: `log.jsonl` and TensorBoard's files are in the run's folder",
  "--wandb_project": "see `--report_to_wandb`",
  "--wandb_entity": "see `--report_to_wandb`",
  "--save_checkpoints_to_wandb": "see `--report_to_wandb`",
};
