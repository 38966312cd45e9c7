/**
 * Tests that take seconds each and guard what faster ones touch already: `OPENFLAMINGO_SLOW=1 npm test`, as CI runs them.
 * Otherwise they are skipped, and the run says so.
 */
import { test } from "vitest";

export const isSlowAsked = process.env.OPENFLAMINGO_SLOW === "1";
if (!isSlowAsked) console.log("slow tests are skipped: OPENFLAMINGO_SLOW=1 runs them, as CI does");

export const slowTest = test.skipIf(!isSlowAsked);
