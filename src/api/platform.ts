/** What loading needs of the system that it runs on. */
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import type { OpenOptions } from "../checkpoints/limits.js";
import type { ModelPath } from "../checkpoints/modelPath.js";
import type { PreparedIndex } from "../checkpoints/preparedIndex.js";
import type { ImageOptions, ImageSource, Raster } from "../images/index.js";
import type { ProcessMemory } from "../machine/memory.js";
import type { Compiled } from "../onnx/compile.js";
import type { Runtime } from "../runtime/runtime.js";
import type { OpenKernelPool } from "../weights/kernelPool.js";
import type { LoadOptions } from "./loadOptions.js";

export interface Platform {
  /**
   * A file of the model, as text; undefined where it is not there.
   *
   * @throws OpenFlamingoError `model-invalid` where it cannot be read, is too long, or leaves its folder
   */
  readText(at: ModelPath, signal: AbortSignal | undefined): Promise<string | undefined>;
  openCheckpoint(at: ModelPath, options: OpenOptions): Promise<Checkpoint>;
  /** The weights of a folder that was prepared. @throws OpenFlamingoError `model-invalid` */
  openPrepared(
    folder: string,
    sha256: string,
    options: Pick<LoadOptions, "signal" | "onProgress">,
  ): Promise<PreparedIndex>;
  /** The same weights, to be read where they cannot be mapped. */
  openPreparedWeights(folder: string, index: PreparedIndex): Promise<Checkpoint>;
  /** Programs that were compiled before, by what `programKey` gives; undefined where there are none. */
  compiledPrograms(key: string): Promise<readonly Compiled[] | undefined>;
  openRuntime(name: string | undefined, onNotice: LoadOptions["onNotice"]): Promise<Runtime>;
  /** What brings matrices into few bits beside this thread. */
  openKernels(): OpenKernelPool;
  /** What there is now. */
  memory(): ProcessMemory;
  /** What notices go to unless the caller takes them. */
  warn(text: string): void;
  decodeImage(
    source: ImageSource,
    options: ImageOptions & Pick<LoadOptions, "allowPrivateAddresses" | "signal">,
  ): Promise<Raster>;
}
