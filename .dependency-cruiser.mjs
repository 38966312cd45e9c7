import { layers } from "./scripts/layers.mjs";

/** One rule a folder: it may import itself and what stands on lower layers. */
const directions = layers.flatMap((folders, layer) => {
  const below = layers.slice(0, layer).flatMap((lower) => Object.keys(lower));
  return Object.keys(folders).map((folder) => ({
    name: `${folder}-imports-only-down`,
    severity: "error",
    from: { path: `^src/${folder}/` },
    to: { path: "^src/", pathNot: `^src/(${[folder, ...below].join("|")})/` },
  }));
});

export default {
  forbidden: [
    ...directions,
    { name: "no-circle", severity: "error", from: {}, to: { circular: true } },
    {
      name: "node-only-in-node-files",
      comment: "What needs Node stands in a .node.ts file, or in cli/, so that the rest runs in a browser.",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.node\\.ts$|^src/(cli|index\\.ts)" },
      // entities is plain JavaScript without dependencies.
      to: {
        dependencyTypes: ["core", "npm", "npm-no-pkg", "npm-unknown"],
        pathNot: "node_modules/entities/",
      },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      conditionNames: ["import", "require", "node", "default"],
      exportsFields: ["exports"],
    },
  },
};
