/** How tokens are chosen: one of three ways, each with its own settings. */
import type { BeamSettings } from "./beams.js";
import type { SampleSettings } from "./sample.js";

export type Strategy =
  | { readonly kind: "greedy" }
  | ({ readonly kind: "beam" } & BeamSettings)
  | ({ readonly kind: "sample" } & SampleSettings);
