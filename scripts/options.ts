/**
 * Prints `docs/options.md` from the types of both APIs; a test holds the page against them.
 *
 *     npx tsx scripts/options.ts > docs/options.md
 */
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

const src = fileURLToPath(new URL("../src/", import.meta.url));

/** The tables of the page: a heading, what takes these options, and the types that they are from. */
const tables: readonly (readonly [heading: string, takes: string, types: readonly string[]])[] = [
  [
    "Loading",
    "`load(model, options)` and, beside its own, `createModelAndTransforms(options)`",
    ["LoadOptions"],
  ],
  ["Limits of images", "`limits.images` of loading", ["ImageLimits"]],
  ["Limits of checkpoints", "`limits.checkpoints` of loading", ["ReaderLimits"]],
  ["Preparing", "`prepare(model, output, options)`", ["PrepareOptions"]],
  [
    "Reporting quality",
    "`reportQuality(model, texts, options)`: also `keep`, `calibrate`, `signal` and `onNotice` of preparing",
    ["ReportOptions"],
  ],
  [
    "Generation, all ways",
    "`generate`, `stream`, `caption`, `captionAll`, `ask`: greedy unless beams or sampling are asked for",
    ["SharedOptions"],
  ],
  ["Generation by beam search", "the same calls; `beams` starts it", ["BeamSettings"]],
  ["Generation by sampling", "the same calls; the first four start it", ["SamplingSettings"]],
  ["Templates", "`generate`, `stream`, `rank`", ["TemplateOptions"]],
  ["Captions", "`caption`, `captionAll`, `captionPrompt`", ["CaptionPromptOptions"]],
  ["Captions of many images", "`captionAll`", ["CaptionAllOptions"]],
  ["Questions", "`ask`, `askPrompt`", ["AskOptions"]],
  ["Ranking", "`rank`", ["RankOptions"]],
  ["Classes", "`classify`", ["RankOptions", "ClassifyOptions"]],
  ["Features", "`embed`", ["EmbedOptions"]],
  ["Packing training data", "`packData(options)`", ["PackOptions"]],
  ["Fetching training data", "`fetchData(options)`", ["FetchDataOptions"]],
  ["Compatible API: creating a model", "`createModelAndTransforms`", ["CreateOptions"]],
  ["Compatible API: generate", "`model.generate`", ["GenerateArguments", "GenerationArguments"]],
  ["Compatible API: forward", "`model.forward`", ["ForwardArguments"]],
  ["Compatible API: tokenizer", "`tokenizer(texts, options)`", ["TokenizeOptions"]],
  ["Compatible API: decoding", "`tokenizer.decode(ids, options)`", ["DecodeOptions"]],
];

const files = [
  ...[
    "api/options.ts",
    "api/flamingo.ts",
    "api/loadOptions.ts",
    "api/prepare.node.ts",
    "api/reportQuality.node.ts",
    "api/embed.ts",
    "api/packData.node.ts",
    "api/fetchData.node.ts",
    "generate/rank.ts",
    "images/image.ts",
  ],
  ...[
    "checkpoints/limits.ts",
    "api/compat/create.ts",
    "api/compat/generationArguments.ts",
    "api/compat/model.ts",
  ],
  ...["api/compat/forward.ts", "api/compat/tokenizer.ts"],
];

type Declared = ts.InterfaceDeclaration | ts.TypeAliasDeclaration;

/** Every interface and type alias of the files, by name. */
function declarations(): ReadonlyMap<string, Declared> {
  const found = new Map<string, Declared>();
  for (const file of files) {
    const text = ts.sys.readFile(src + file)!;
    for (const each of ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true).statements) {
      if (ts.isInterfaceDeclaration(each) || ts.isTypeAliasDeclaration(each)) found.set(each.name.text, each);
    }
  }
  return found;
}

/** The properties that a declaration writes out itself. */
function propertiesOf(declared: Declared): readonly ts.PropertySignature[] {
  const found: ts.PropertySignature[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertySignature(node)) found.push(node);
    else if (ts.isTypeLiteralNode(node) || ts.isIntersectionTypeNode(node)) node.forEachChild(visit);
  };
  if (ts.isInterfaceDeclaration(declared)) for (const member of declared.members) visit(member);
  else visit(declared.type);
  return found;
}

const cell = (text: string): string => text.replace(/\s+/g, " ").replaceAll("|", "\\|").trim();

function rowOf(property: ts.PropertySignature): string {
  const name = property.name.getText();
  const comments = ts
    .getJSDocCommentsAndTags(property)
    .map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? "");
  const isRequired = property.questionToken === undefined;
  const hasComments = property.type && /\/\*\*/.test(property.type.getText());
  const type = hasComments ? "an object" : (property.type?.getText() ?? "").replace(/ \| undefined$/, "");
  return `| \`${name}\`${isRequired ? "" : "?"} | \`${cell(type)}\` | ${cell(comments.join(" "))} |`;
}

export function optionsPage(): string {
  const declared = declarations();
  const sections = tables.map(([heading, takes, types]) => {
    const rows = types.flatMap((type) => propertiesOf(declared.get(type)!)).map(rowOf);
    return `## ${heading}\n\n${takes}\n\n| option | type | |\n|---|---|---|\n${rows.join("\n")}\n`;
  });
  return `# Options\n\nPrinted from the types by \`npx tsx scripts/options.ts\`. A question mark: may be left out. A name that is misspelt, a value of another type or out of its range is an error, before any work.\n\n${sections.join("\n")}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.stdout.write(optionsPage());
