/** The path of a file of a model, with the folder that it may not leave. */

export interface ModelPath {
  readonly path: string;
  /** Absent where the caller named `path` himself: it may then be a link to anywhere. */
  readonly folder?: string;
}

/** The file or folder called `name` in the folder `at`. */
export const inside = ({ path, folder = path }: ModelPath, name: string): ModelPath => ({
  folder,
  path: `${path.replace(/(?<=.)\/$/, "")}/${name}`,
});

/** The file called `name` in the folder of the file `at`. */
export const beside = (at: ModelPath, name: string): ModelPath => ({
  ...at,
  path: at.path.replace(/[^/\\]*$/, name),
});
