/** A model of which every file is known by a path, whether in one folder or in those of a hub's cache. */
import type { ModelDescription, PreparedDescription } from "./modelFolder.js";
import type { ModelPath } from "./modelPath.js";

/** A description whose paths are such as the platform reads. */
export interface OpenableModel extends ModelDescription {
  /** Its files may not lie elsewhere. */
  readonly folder: string;
  /** The same for a model whose parts lie in folders of their own, as on the hub. */
  readonly folders?: Readonly<Record<"vision" | "language" | "flamingo", string>> | undefined;
  /** The vision encoder's configuration where there is no file of it. */
  readonly visionJson?: unknown;
  /** CLIP's tokenizer where it is not beside the vision encoder's configuration. */
  readonly clipTokenizer?: ModelPath | undefined;
}

/** A prepared folder, which is in one place. */
export interface OpenablePrepared extends PreparedDescription {
  readonly folder: string;
  readonly folders?: undefined;
  readonly visionJson?: undefined;
  readonly clipTokenizer?: undefined;
}

/** Where a file of a part of the model is. */
export const pathsOf =
  ({ folder, folders }: Pick<OpenableModel, "folder" | "folders">) =>
  (part: "vision" | "language" | "flamingo", path: string): ModelPath => ({
    folder: folders?.[part] ?? folder,
    path,
  });
