/** The journal of a folder that is being prepared: a line for each weight that was written. */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type PreparedTensor, readPreparedTensor } from "../checkpoints/preparedIndex.js";

export const journalFile = "journal.jsonl";

export interface Journal {
  /** What was written before, if for the same key. */
  readonly tensors: readonly PreparedTensor[];
  /** Forgets all but the first so many. */
  keep(count: number): Promise<void>;
  add(tensor: PreparedTensor): Promise<void>;
  close(): Promise<void>;
}

/** @param key what the weights are made of: the journal of another is begun anew */
export async function openJournal(folder: string, key: string): Promise<Journal> {
  const path = join(folder, journalFile);
  await (await open(path, "a")).close();
  const file = await open(path, "r+");
  const [first, ...lines] = (await file.readFile("utf8")).split("\n").slice(0, -1); // what follows the last is no line
  const tensors =
    first === JSON.stringify({ key }) ? lines.map(parse).filter((each) => each !== undefined) : [];
  const write = async (of: readonly PreparedTensor[]) => {
    const text = [{ key }, ...of].map((each) => `${JSON.stringify(each)}\n`).join("");
    await file.truncate(0);
    await file.write(text, 0);
  };
  return {
    tensors,
    keep: (count) => write(tensors.slice(0, count)),
    add: (tensor) => append(file, `${JSON.stringify(tensor)}\n`),
    close: () => file.close(),
  };
}

async function append(file: FileHandle, line: string): Promise<void> {
  const { size } = await file.stat();
  await file.write(line, size);
}

function parse(line: string): PreparedTensor | undefined {
  try {
    return readPreparedTensor(JSON.parse(line));
  } catch {
    return undefined;
  }
}
