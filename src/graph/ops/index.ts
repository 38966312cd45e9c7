/** The table of operators: every entry, for tests and documentation that walk it. */
import type { Op } from "../tensor.js";
import * as activation from "./activation.js";
import * as attention from "./attention.js";
import * as barrier from "./barrier.js";
import * as elementwise from "./elementwise.js";
import * as gather from "./gather.js";
import * as layout from "./layout.js";
import * as linear from "./linear.js";
import * as normalize from "./normalize.js";
import * as quantized from "./quantized.js";
import * as reduce from "./reduce.js";
import * as rowQuantized from "./rowQuantized.js";
import { sourceOps } from "./sources.js";

const families = [
  elementwise,
  reduce,
  layout,
  gather,
  linear,
  quantized,
  rowQuantized,
  normalize,
  activation,
  attention,
  barrier,
];

export const operators: readonly Op[] = [
  ...sourceOps,
  ...families.flatMap((family) =>
    Object.values(family).flatMap((each) => (typeof each === "function" && "op" in each ? [each.op] : [])),
  ),
];
