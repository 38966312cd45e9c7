/** What every stage of the recipe is given. */
import type { Runtime } from "../../../src/runtime/runtime.js";
import type { RecipeSettings } from "../settings.js";
import type { DrawnThing } from "../world/things.node.js";

export interface Stage {
  readonly settings: RecipeSettings;
  readonly things: readonly DrawnThing[];
  /** Of the model that is made. What stages keep for themselves is beside it, in `work`. */
  readonly folder: string;
  readonly work: string;
  /** The folder of photographs that lie beside the project; left out: drawings alone. */
  readonly photographs?: string | undefined;
  readonly runtime: Runtime;
  readonly threads: number;
  /** This part of the recipe ends behind so many seconds of a stage, which goes on when it is begun again. */
  readonly stopAfterSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how far a stage is. */
  readonly tell: (line: string) => void;
}
