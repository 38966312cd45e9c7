/** Fetches one file in a process of its own, to be killed: the cache folder and the hub's address are arguments. */
import { hubFile } from "../../dist/hub/hub.node.js";

const [cache = "", endpoint = "", file = ""] = process.argv.slice(2);
const settings = {
  endpoint: new URL(endpoint),
  isOwnEndpoint: true,
  cache,
  assets: cache,
  clipCache: cache,
  isOffline: false,
  token: undefined,
};
const found = await hubFile(
  { repository: "owner/model", revision: "main", file },
  { settings, chunk: 1 << 20, block: 1 << 16 },
);
process.stdout.write(found?.path ?? "");
