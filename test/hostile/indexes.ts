/** Indexes of shards made to do harm: each is the `model.safetensors.index.json` of a folder. */
import { float32, safetensors } from "../checkpoints/assemble.js";
import type { HostileRow } from "./row.js";

/** What lies in the folder beside the index; `link` is a link to a shard outside, `folder` a folder. */
const shard = (name: string) =>
  safetensors({ [name]: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, float32(1));
export const shards: Readonly<Record<string, string>> = {
  "1.safetensors": shard("a"),
  "2.safetensors": shard("b"),
};

const rows =
  (code: HostileRow["code"]) =>
  (name: string, tries: string, bytes: string, message: string): HostileRow => ({
    name,
    tries,
    bytes,
    code,
    message,
  });
const lies = rows("checkpoint-damaged");
const away = rows("checkpoint-missing");

const index = (map: unknown): string => JSON.stringify({ metadata: { total_size: 8 }, weight_map: map });

export const hostileIndexes: readonly HostileRow[] = [
  away(
    "a way up",
    "read a file outside the folder",
    index({ a: "../secret.safetensors" }),
    '"../secret.safetensors", named in model.safetensors.index.json, leaves the folder',
  ),
  away(
    "a way up in the middle",
    "leave the folder after it was entered",
    index({ a: "x/../../secret" }),
    '"x/../../secret", named in model.safetensors.index.json, leaves',
  ),
  away(
    "an absolute path",
    "read any file of the disk",
    index({ a: "/etc/passwd" }),
    '"/etc/passwd", named in model.safetensors.index.json, is absolute',
  ),
  away(
    "a drive",
    "read any file of another drive",
    index({ a: "C:secret" }),
    '"C:secret", named in model.safetensors.index.json, is absolute',
  ),
  away(
    "a share",
    "have Windows log in at an unknown server",
    index({ a: "\\\\198.51.100.7\\x" }),
    "uses \\ where / is wanted",
  ),
  away(
    "a link out of the folder",
    "leave the folder by a link in it",
    index({ a: "link" }),
    '"link", named in model.safetensors.index.json, is a link that leaves the folder',
  ),
  away(
    "an empty name",
    "have the folder itself opened",
    index({ a: "" }),
    '"", named in model.safetensors.index.json, is no path',
  ),
  away(
    "a NUL in a name",
    "have the system see a shorter name",
    index({ a: "1.safetensors\0.txt" }),
    "is no path",
  ),
  away(
    "commands for the terminal in a name",
    "change the terminal's title when the error is shown",
    index({ a: "\x1b]0;owned\x07" }),
    '"\\u001b]0;owned\\u0007", named in model.safetensors.index.json, holds characters that are not shown',
  ),
  away(
    "a name that turns around",
    "be shown as another name than it is",
    index({ a: "\u202esrosnetefas.1" }),
    "holds characters that are not shown",
  ),
  away(
    "a missing shard",
    "have a model loaded without a part",
    index({ a: "3.safetensors" }),
    '"3.safetensors", named in model.safetensors.index.json, is not there',
  ),
  away(
    "a folder for a shard",
    "have a folder read as a file",
    index({ a: "folder" }),
    "folder: is not a file",
  ),
  lies(
    "the index as its own shard",
    "have the reader go round in a circle",
    index({ a: "model.safetensors.index.json" }),
    "index.json: is neither safetensors nor a torch archive",
  ),
  lies(
    "a tensor in another file",
    "have a tensor looked for where it is not",
    index({ a: "2.safetensors" }),
    'names tensors that their shards lack: "a" in "2.safetensors"',
  ),
  lies(
    "a tensor that is left out",
    "carry a tensor along that no checker sees",
    index({}).replace("{}", '{"a":"1.safetensors","c":"1.safetensors"}'),
    'shards lack: "c" in "1.safetensors"',
  ),
  lies(
    "a file by two names",
    "have one file opened as two",
    index({ a: "1.safetensors", "": "./1.safetensors" }),
    '"" in "./1.safetensors"',
  ),
  lies(
    "a name twice",
    "show one shard to a checker and load another",
    '{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}',
    'holds the name "a" twice',
  ),
  lies(
    "an inherited name",
    "have a shard found that nobody named",
    '{"weight_map":{"__proto__":"1.safetensors"}}',
    '"__proto__" in "1.safetensors"',
  ),
  lies(
    "a list of files",
    "have places taken for names",
    index(["1.safetensors"]).replace('["1', '[1,"1'),
    "has no weight_map from tensors to files",
  ),
  lies(
    "a file that is a number",
    "have a number turned into an open file's",
    index({ a: 0 }),
    "no weight_map",
  ),
  lies("no map", "find what a reader does without names", "{}", "has no weight_map"),
  lies(
    "text behind the index",
    "hide a second index behind the first",
    `${index({ a: "1.safetensors" })}{}`,
    "index.json: is not valid JSON",
  ),
  lies(
    "17 MiB",
    "have an index held that is larger than any needs to be",
    `{"x":"${"x".repeat(17 * 2 ** 20)}"}`,
    "takes 17825800 bytes; at most 16777216 are read",
  ),
];
