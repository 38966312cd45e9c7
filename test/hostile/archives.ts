/**
 * Archives and headers made to do harm, assembled by hand: whole files.
 *
 * Formats: PKWARE's APPNOTE.TXT 6.3.10, §4.3 (zip) and §4.5.3 (zip64); github.com/huggingface/safetensors, "Format".
 */
import type { ErrorCode } from "../../src/base/errors.js";
import {
  dictionary,
  type Entry,
  float32,
  le,
  pickle,
  safetensors,
  tensor,
  torchFile,
  zip,
} from "../checkpoints/assemble.js";
import type { HostileRow } from "./row.js";

type Table = readonly HostileRow[];

const rows =
  (code: ErrorCode) =>
  (name: string, tries: string, bytes: string, message: string): HostileRow => ({
    name,
    tries,
    bytes,
    code,
    message,
  });
/** The file contradicts itself. */
const lies = rows("checkpoint-damaged");
/** The file may be sound, and is of a kind that is not read. */
const kind = rows("checkpoint-rejected");

const numbers = float32(1, 2, 3);
const state = dictionary({ w: tensor({ size: 3, shape: [3], strides: [1] }) });
const data: Entry = { name: "m/data.pkl", data: pickle(state) };
const weights: Entry = { name: "m/data/0", data: numbers };
const whole = zip([data, weights]);

/** The whole archive with `bytes` in place of what stands at `at`. */
const changed = (at: number, bytes: string, file = whole) =>
  file.slice(0, at) + bytes + file.slice(at + bytes.length);
const lastHeader = whole.lastIndexOf("PK\x01\x02");
const end = whole.lastIndexOf("PK\x05\x06");
/** The local header of the second entry: sizes at 18 and 22, length of the extra field at 28. */
const second = whole.lastIndexOf("PK\x03\x04");
const wideArchive = zip([data, weights], { zip64: true });
const wideEnd = wideArchive.lastIndexOf("PK\x06\x06");

const zips: Table = [
  lies(
    "an archive cut in its data",
    "have half of a model loaded",
    whole.slice(0, 60),
    "end record is missing, as when the file was cut off",
  ),
  lies(
    "a count that lies",
    "hide an entry from whoever counts",
    zip([data, weights], { end: { count: 1 } }),
    "holds 2 entries, its end record says 1",
  ),
  lies(
    "a directory elsewhere",
    "show two readers two directories",
    zip([data, weights], { end: { start: 0 } }),
    "at byte 0 does not end at its end record",
  ),
  lies(
    "a directory of one byte",
    "have the directory end inside an entry",
    zip([data], { end: { size: 1 } }),
    "directory of 1 bytes",
  ),
  lies(
    "a directory of 5 MiB",
    "have the reader hold a directory that describes nothing",
    `PK\x03\x04${"x".repeat(5 * 2 ** 20)}${zip([], { end: { count: 1, size: 5 * 2 ** 20 + 4, start: 0 } })}`,
    "directory takes 5242884 bytes; at most 4194304 are read",
  ),
  lies(
    "one of several disks",
    "have parts of the archive looked for in other files",
    changed(end + 4, "\x01"),
    "other parts are in other files",
  ),
  lies(
    "two counts",
    "show the count of this disk and the count of all as two numbers",
    changed(end + 8, "\x01\x00"),
    "end record says 1 entries, and 2",
  ),
  lies(
    "a directory with something else in it",
    "have another record taken for an entry",
    changed(lastHeader, "PK\x01\x03"),
    `directory has no entry at byte ${lastHeader}`,
  ),
  lies(
    "a name longer than the directory",
    "read names out of the end record",
    changed(lastHeader + 28, "\xff\xff"),
    `ends inside the entry at byte ${lastHeader}`,
  ),
  lies(
    "a name that is not UTF-8",
    "have two readers decode a name in two ways",
    zip([data, { ...weights, name: "m/\xff" }]),
    "has a name that is not UTF-8",
  ),
  lies(
    "an entry's name twice",
    "show one pickle to a checker and load the other",
    zip([data, { ...data, data: "cos\nsystem\n." }]),
    'directory holds "m/data.pkl" twice',
  ),
  lies(
    "two entries in one place",
    "have one piece of data counted as many, as a zip bomb does",
    zip([data, { ...weights, name: `${data.name}x`, central: { offset: 0 } }]),
    '"m/data.pklx" overlaps the entry before it',
  ),
  lies(
    "an entry that ends a byte inside the next",
    "have a byte read as the end of one entry and as the header of another",
    zip([
      { ...weights, name: "m/data/1", flags: 8, central: { size: 13 }, local: { crc: 0, size: 0 } },
      { ...data, name: "m/data/2" },
    ]),
    '"m/data/2" overlaps the entry before it',
  ),
  lies(
    "an entry inside another",
    "hide an archive in an archive",
    zip([data, { ...weights, central: { offset: 50 } }]),
    '"m/data/0" overlaps',
  ),
  lies(
    "an entry behind the directory",
    "read data from where no data is",
    zip([data, { ...weights, central: { offset: 5000 } }]),
    '"m/data/0" should start at byte 5000',
  ),
  lies(
    "an entry that reaches into the directory",
    "have the directory loaded as weights",
    zip([data, { ...weights, flags: 8, central: { size: 60 }, local: { crc: 0, size: 0 } }]),
    '"m/data/0" of 60 bytes reaches into the directory',
  ),
  lies(
    "a stored entry of two sizes",
    "have memory for one size and data of the other",
    zip([data, { ...weights, central: { packed: 4 } }]),
    'stores "m/data/0" as it is, and yet 12 bytes in 4',
  ),
  lies(
    "another name in the local header",
    "be one file to a reader of headers and another to a reader of directories",
    zip([{ ...data, local: { name: "m/data.pkx" } }]),
    '"m/data.pkl" is not at byte 0',
  ),
  lies(
    "another CRC in the local header",
    "satisfy two checkers with two sums",
    zip([{ ...data, local: { crc: 1 } }, weights]),
    '"m/data.pkl" says CRC and sizes [1, 149, 149] of itself, its directory [84206671, 149, 149]',
  ),
  lies(
    "another packed size in the local header",
    "have a streaming reader find the next entry elsewhere",
    changed(second + 18, "\x04"),
    '"m/data/0" says CRC and sizes [2987300529, 12, 4] of itself, its directory [2987300529, 12, 12]',
  ),
  lies(
    "another unpacked size in the local header",
    "have a streaming reader set aside another size",
    changed(second + 22, "\xff\xff\xff\x7f", zip([data, { ...weights, name: "m/data/1" }])),
    '"m/data/1" says CRC and sizes [2987300529, 2147483647, 12] of itself, its directory',
  ),
  lies(
    "sizes that follow, and are there and wrong",
    "use the flag that excuses zeros for a lie",
    zip([data, { name: "m/late", data: "late", flags: 8, local: { crc: 7, size: 3 } }]),
    '"m/late" says CRC and sizes [7, 3, 3] of itself, its directory [1865031573, 4, 4]',
  ),
  lies(
    "another method in the local header",
    "be compressed for one reader only",
    changed(second + 8, "\x08", zip([data, { ...weights, name: "m/data/2" }])),
    '"m/data/2" is not at byte',
  ),
  lies(
    "other flags in the local header",
    "be encrypted for one reader only",
    zip([data, { ...weights, name: "m/data/3", local: { flags: 1 } }]),
    '"m/data/3" is not at byte',
  ),
  lies(
    "a local header that reaches into the directory",
    "move the data behind everything that was checked",
    changed(second + 28, "\xff\xff"),
    '"m/data/0" has a header that reaches into the directory',
  ),
  lies(
    "a size that is elsewhere, and nowhere",
    "have the reader take 4 GiB for the size where the zip64 field is missing",
    zip([data, { ...weights, central: { size: 0xffffffff } }]),
    "points to a zip64 field that is not there",
  ),
  lies(
    "a zip64 size of 2^60",
    "have a size that no file has go through as a number",
    zip([data, { ...weights, central: { size: 2 ** 60 } }], { zip64: true }),
    '"m/data/0" says CRC and sizes [2987300529, 12, 12] of itself, its directory [2987300529, 1152921504606847000',
  ),
  lies(
    "a local zip64 size of its own",
    "let directory and header each have a zip64 field, and let them differ",
    localWide(2 ** 40),
    '"m/wide" says CRC and sizes [1936657895, 1099511627776, 1099511627776] of itself, its directory',
  ),
  lies(
    "a zip64 count that lies",
    "have two end records count differently",
    zip([data, weights], { zip64: true, wideEnd: { count: 9 } }),
    "two end records disagree",
  ),
  lies(
    "a zip64 locator that lies",
    "have the zip64 record looked for in the data",
    zip([data, weights], { zip64: true, wideEnd: { at: 5 } }),
    "zip64 end record is not where its locator says",
  ),
  lies(
    "a zip64 record longer than it is",
    "have more of the file taken for the record",
    changed(wideEnd + 4, le(60, 8), wideArchive),
    "zip64 end record says that 60 bytes follow in it, not 44",
  ),
  lies(
    "a zip64 directory beyond the file",
    "have the directory read from outside the file",
    zip([data, weights], { zip64: true, end: { start: 0xffffffff }, wideEnd: { start: 2 ** 60 } }),
    "at byte 1152921504606847000 does not end",
  ),
  lies(
    "a pickle with a wrong CRC",
    "change a byte of the pickle and nothing else",
    zip([{ ...data, central: { crc: 1 }, local: { crc: 1 } }, weights]),
    '"m/data.pkl" does not have the CRC',
  ),
  lies(
    "a pickle of 17 MiB",
    "have a pickle read whole that is larger than memory",
    torchFile(`X${le(17 * 2 ** 20, 4)}${"x".repeat(17 * 2 ** 20)}`),
    '"model/data.pkl" takes 17825800 bytes; at most 16777216 are read',
  ),
  lies(
    "a byte order of a megabyte",
    "have a small file of settings read whole that is not small",
    torchFile(state, [numbers], [{ name: "model/byteorder", data: "little".repeat(2e5) }]),
    '"model/byteorder" takes 1200000 bytes; at most 16',
  ),
  kind(
    "a compressed pickle",
    "have a pickle unpacked that is a thousand times as large",
    zip([{ ...data, method: 8 }, weights]),
    '"m/data.pkl" is compressed (method 8)',
  ),
  kind(
    "compressed weights",
    "have weights unpacked that are a thousand times as large",
    zip([data, { ...weights, method: 93 }]),
    '"m/data/0" is compressed (method 93)',
  ),
  kind(
    "an encrypted pickle",
    "hide the pickle from checkers",
    zip([{ ...data, flags: 1 }, weights]),
    '"m/data.pkl" is encrypted',
  ),
  kind(
    "strongly encrypted weights",
    "have a reader that knows one kind of encryption take the data as they are",
    zip([data, { ...weights, flags: 0x41 }]),
    '"m/data/0" is encrypted',
  ),
  kind(
    "masked headers",
    "hide names and sizes by the encryption of the directory",
    zip([{ ...data, name: "n/data.pkl", flags: 0x2000 }]),
    '"n/data.pkl" is encrypted',
  ),
  kind(
    "two pickles",
    "show one to a checker and load the other",
    torchFile(state, [numbers], [{ name: "other/data.pkl", data: "" }]),
    "is a zip archive with 2 files <name>/data.pkl",
  ),
  kind(
    "no pickle",
    "have another kind of archive opened: a document, a program",
    zip([{ name: "META-INF/MANIFEST.MF", data: "Main-Class: X" }]),
    "is a zip archive with 0 files <name>/data.pkl",
  ),
  kind(
    "big-endian numbers",
    "have every number read backwards",
    torchFile(state, [numbers], [{ name: "model/byteorder", data: "big" }]),
    "holds big-endian numbers",
  ),
];

/** An archive whose second entry has its sizes in a zip64 field in the local header as well. */
function localWide(size: number): string {
  const extra = le(1, 2) + le(16, 2) + le(size, 8).repeat(2);
  const file = zip([data, { ...weights, name: "m/wide", data: `${extra}${numbers}`, central: { size: 12 } }]);
  const at = file.indexOf("m/wide") - 30;
  return changed(at + 18, `${"\xff".repeat(8)}${le(6, 2)}${le(extra.length, 2)}`, file);
}

/** Other kinds of files under a checkpoint's name. */
const others: Table = [
  kind(
    "a tar",
    "be read by the oldest form of torch.load, which unpickles file by file",
    `storages${"\0".repeat(249)}ustar  \0${"\0".repeat(247)}`,
    "is a tar, the form that torch wrote before version 1.6",
  ),
  kind(
    "a bare pickle",
    "be unpickled without any archive around it",
    pickle("cos\nsystem\n(X\x02\0\0\0idtR"),
    "is a bare pickle, the form that torch wrote before version 1.6",
  ),
  kind(
    "a pointer of Git LFS",
    "be taken for the file that it points to",
    "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "is Git LFS's pointer to a file",
  ),
  lies(
    "a page of a web server",
    "be saved under a model's name when the download needs a login",
    "<!doctype html><title>Sign in</title>",
    'and starts "<!doctype html><"',
  ),
  lies(
    "a compressed file",
    "be unpacked because its first bytes say so",
    "\x1f\x8b\x08\x00",
    "it is 4 bytes long and starts",
  ),
  lies("an empty file", "find what a reader does without a first byte", "", "it is 0 bytes long"),
  lies(
    "a pickle of protocol 0",
    "be unpickled though it has no first byte that says",
    "cos\nsystem\n(S'id'\ntR.",
    'starts "cos\\nsystem\\n(S\'id"',
  ),
];

const tensorOf = (shape: string, offsets = "[0,4]", dtype = '"F32"') =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;
/** A file with one tensor `a`, of one float32 unless given. */
const single = (...entry: Parameters<typeof tensorOf>) =>
  safetensors(`{"a":${tensorOf(...entry)}}`, float32(1));
const pair = (a: string, b: string, bytes: number) => safetensors(`{"a":${a},"b":${b}}`, "x".repeat(bytes));
const number = (written: string) => `header's number "${written}", at its character 29, is no size or offset`;

const headers: Table = [
  lies(
    "a header of 2^63 bytes",
    "make the length negative in a signed number",
    `${le(2n ** 63n, 8)}{}`,
    "has a header of 9223372036854776000 bytes",
  ),
  lies(
    "a header of 2^64 - 1 bytes",
    "make the header's end wrap around to its start",
    `${le(2n ** 64n - 1n, 8)}{}`,
    "has a header of 18446744073709552000 bytes",
  ),
  lies(
    "a header of 17 MiB",
    "have a header held that is larger than any needs to be",
    safetensors(`{"__metadata__":{"x":"${"x".repeat(17 * 2 ** 20)}"}}`),
    "has a header of 17825817 bytes; at most 16777216 are read",
  ),
  lies(
    "a header longer than the file",
    "read a header out of what lies behind the file",
    `${le(1000, 8)}{}`,
    "says its header ends at byte 1008, and ends itself at 10",
  ),
  lies(
    "a header that is not UTF-8",
    "have two readers decode a tensor's name in two ways",
    safetensors('{"\xff":{}}'),
    "the header is not UTF-8",
  ),
  lies(
    "a header that is not JSON",
    "have a forgiving parser see more than a strict one",
    safetensors("{'a':1,}"),
    "the header is not valid JSON",
  ),
  lies(
    "a tensor's name twice",
    "show one tensor to a checker and load another",
    safetensors(`{"a":${tensorOf("[1]")},"a":${tensorOf("[1]")}}`, float32(1)),
    'the header holds the name "a" twice',
  ),
  lies(
    "a name twice, once in escapes",
    "hide that a name comes twice",
    safetensors(`{"ab":${tensorOf("[1]")},"\\u0061b":${tensorOf("[1]")}}`, float32(1)),
    'the header holds the name "ab" twice',
  ),
  lies(
    "a shape twice",
    "show one shape to a checker and load another",
    safetensors('{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}}', float32(1)),
    'the header holds the name "shape" twice',
  ),
  lies(
    "lists 101 deep",
    "exhaust the stack of whatever walks over the header",
    safetensors(`{"a":${"[".repeat(100)}${"]".repeat(100)}}`),
    "the header nests more than 100 deep",
  ),
  lies(
    "an entry that is text",
    "have a reader look for fields in text",
    safetensors('{"a":"F32"}'),
    'the header\'s entry of "a" is not an object',
  ),
  lies(
    "metadata that is no text",
    "smuggle numbers and objects to whoever uses the metadata",
    safetensors({ __metadata__: { format: { a: [] } } }),
    "__metadata__ must hold text only",
  ),
  kind(
    "a type that is not read",
    "have a width guessed",
    single("[1]", "[0,4]", '"F8_E4M3"'),
    '"a" has dtype "F8_E4M3"',
  ),
  kind(
    "a type of an inherited name",
    "find a type in a table that is a plain object",
    single("[1]", "[0,4]", '"constructor"'),
    '"a" has dtype "constructor"',
  ),
  kind(
    "a type that is a list",
    "have a list turned into text and found",
    single("[1]", "[0,4]", '["F32"]'),
    '"a" has dtype ["F32"]',
  ),
  lies("a negative size", "turn a bound around", single("[-1]"), number("-1")),
  lies("minus zero", "have a size that is less than nothing and equal to it", single("[-0]"), number("-0")),
  lies("a fraction", "have a size rounded one way here and another there", single("[1.5]"), number("1.5")),
  lies(
    "a whole number with a point",
    "be a number here and rejected elsewhere",
    single("[1.0]"),
    number("1.0"),
  ),
  lies("a number beyond all", "be infinite", single("[1e400]"), number("1e400")),
  lies(
    "2^53 + 1",
    "be another number after parsing",
    single("[9007199254740993]"),
    number("9007199254740993"),
  ),
  lies(
    "more digits than a number holds",
    "be 1 after parsing and more before",
    single("[1.00000000000000000001]"),
    number("1.00000000000000000001"),
  ),
  lies(
    "no shape",
    "have a reader go on with a shape that is not there",
    safetensors('{"a":{"dtype":"F32","data_offsets":[0,4]}}', float32(1)),
    '"a" has no shape',
  ),
  lies("a shape that is text", "have letters taken for sizes", single('"1"'), '"a" has shape "1"'),
  lies("a shape in a shape", "have a list taken for a size", single("[[1]]"), '"a" has shape [[1]]'),
  lies(
    "a product beyond 2^53",
    "have the product of the sizes come out small",
    single("[4294967296,4294967296,0.0]".replace(",0.0", "")),
    "takes 73786976294838210000 bytes",
  ),
  lies("one offset", "read to wherever nothing is", single("[1]", "[0]"), '"a" has data_offsets [0]'),
  lies(
    "offsets the wrong way round",
    "have a length below zero",
    single("[1]", "[4,0]"),
    "is given bytes 4 to 0",
  ),
  lies(
    "offsets that are not the shape's",
    "read more than the tensor has",
    single("[2]"),
    '"a", float32 of [2], takes 8 bytes, but is given bytes 0 to 4',
  ),
  lies(
    "offsets outside the file",
    "read what lies behind the file",
    single("[1]", "[400,404]"),
    'bytes 0 to 400, before "a", are no tensor\'s',
  ),
  lies(
    "tensors that overlap",
    "have one change when another does",
    pair(tensorOf("[2]", "[0,8]"), tensorOf("[2]", "[4,12]"), 12),
    '"b" starts at byte 4, inside the tensor before it',
  ),
  lies(
    "a hole between tensors",
    "carry something along that no checker sees",
    pair(tensorOf("[1]", "[0,4]"), tensorOf("[1]", "[8,12]"), 12),
    'bytes 4 to 8, before "b", are no tensor\'s',
  ),
  lies(
    "bytes behind the data",
    "carry another file along",
    `${single("[1]")}PK\x05\x06${"\0".repeat(18)}`,
    "the tensors take 4 bytes, the file holds 26",
  ),
  lies(
    "a file cut inside its data",
    "have half of a tensor loaded",
    single("[1]").slice(0, -1),
    "the tensors take 4 bytes, the file holds 3",
  ),
];

export const hostileArchives: Table = [...zips, ...others, ...headers];
