/** Which backend does the work on Node: the one that was named, or the best that works here. */
import { OpenFlamingoError } from "../base/errors.js";
import { rejectInOwnWorker } from "./ownWorker.node.js";
import type { Runtime } from "./runtime.js";

export interface OpenOptions {
  /** Hears why another backend than the default one was taken. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** The path of ONNX Runtime's library for `ort.ffi`, in place of the one in the onnxruntime-node package. */
  readonly library?: string;
}

/** Each is loaded when it is needed: native libraries take longer than all the rest. */
const backends = {
  async "ort.ffi"({ library }: OpenOptions): Promise<Runtime> {
    const { openOrtFfi } = await import("./ortFfi.node.js");
    return openOrtFfi(library === undefined ? {} : { library });
  },
  async "ort.binding"(): Promise<Runtime> {
    const { openOrtBinding } = await import("./ortBinding.node.js");
    return openOrtBinding();
  },
};

/** The backends that there are, the default first. */
export const backendNames = Object.keys(backends) as (keyof typeof backends)[];

/**
 * Opens a backend. A backend that is named is opened or rejected; if none is, `ort.binding` takes the place of an
 * `ort.ffi` that cannot be opened or computes wrongly.
 *
 * @throws OpenFlamingoError "usage" for a name that no backend has; "backend" when the backend does not work, and in a
 *   worker thread that a backend started
 */
export async function openRuntime(name?: string, options: OpenOptions = {}): Promise<Runtime> {
  rejectInOwnWorker();
  if (name === undefined) return openBest(options);
  const known = backendNames.find((each) => each === name);
  if (known !== undefined) return backends[known](options);
  throw new OpenFlamingoError("usage", `there is no backend "${name}"`, {
    hint: `The backends are ${backendNames.join(", ")}.`,
  });
}

async function openBest(options: OpenOptions): Promise<Runtime> {
  let fault: unknown;
  try {
    return await backends["ort.ffi"](options);
  } catch (error) {
    fault = error;
  }
  const runtime = await backends["ort.binding"]().catch((cause: unknown) => {
    const [first, second] = [fault, cause].map(wordsOf);
    throw new OpenFlamingoError("backend", `no backend works: ort.ffi: ${first}; ort.binding: ${second}`, {
      hint: fault instanceof OpenFlamingoError ? fault.hint : "Install the package onnxruntime-node again.",
      cause,
    });
  });
  options.onNotice?.(`ort.ffi cannot be used, so the slower ort.binding is: ${wordsOf(fault)}`);
  return runtime;
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
