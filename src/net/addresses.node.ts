/**
 * Which IP addresses are public: not this machine, not its network, not what networks keep for themselves.
 *
 * Source: IANA's registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890 and what updates it).
 */
import { BlockList, isIP } from "node:net";

type Family = "ipv4" | "ipv6";

/** Kinds of addresses that are not public, the narrower ones first. */
const kinds: readonly (readonly [kind: string, family: Family, ...networks: string[]])[] = [
  ["unspecified", "ipv4", "0.0.0.0/8"],
  ["loopback", "ipv4", "127.0.0.0/8"],
  ["private", "ipv4", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
  ["shared by a provider's customers", "ipv4", "100.64.0.0/10"],
  ["link-local", "ipv4", "169.254.0.0/16"], // most clouds' metadata servers too
  ["cloud metadata", "ipv4", "168.63.129.16/32"], // Azure's; the others are in networks that are listed
  ["protocol assignment", "ipv4", "192.0.0.0/24"],
  ["documentation", "ipv4", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"],
  ["benchmarking", "ipv4", "198.18.0.0/15"],
  ["anycast service", "ipv4", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24"],
  ["multicast", "ipv4", "224.0.0.0/4"],
  ["reserved", "ipv4", "240.0.0.0/4"], // broadcast too

  ["unspecified", "ipv6", "::/128"],
  ["loopback", "ipv6", "::1/128"],
  // An IPv4 address inside an IPv6 one is a second way to the first.
  ["IPv4 inside IPv6", "ipv6", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"],
  ["6to4", "ipv6", "2002::/16"],
  ["Teredo", "ipv6", "2001::/32"],
  ["benchmarking", "ipv6", "2001:2::/48"],
  ["protocol assignment", "ipv6", "2001::/23"],
  ["documentation", "ipv6", "2001:db8::/32", "3fff::/20"],
  ["anycast service", "ipv6", "2620:4f:8000::/48"],
  ["unique local", "ipv6", "fc00::/7"],
  ["link-local", "ipv6", "fe80::/10"],
  ["site-local", "ipv6", "fec0::/10"],
  ["multicast", "ipv6", "ff00::/8"],
];

/** One list a kind. The families stay apart: a list with IPv6 networks can match IPv4 addresses as mapped ones. */
const lists = kinds.map(([kind, family, ...networks]) => ({ kind, family, list: listOf(family, networks) }));

/** Where public IPv6 addresses are given out; all else is reserved, whatever it may become. */
const globalUnicast = listOf("ipv6", ["2000::/3"]);

function listOf(family: Family, networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address, bits] = network.split("/");
    list.addSubnet(address!, Number(bits), family);
  }
  return list;
}

/**
 * What kind of address this is if it is not public.
 *
 * @param address as `isIP` takes it; other text is "no IP address"
 * @returns undefined for a public address
 */
export function specialKind(address: string): string | undefined {
  const version = isIP(address);
  if (version === 0) return "no IP address";
  // With a zone it is an address of one of this machine's own links.
  if (address.includes("%")) return "link-local";
  const family = version === 4 ? "ipv4" : "ipv6";
  const found = lists.find((each) => each.family === family && each.list.check(address, family));
  if (found) return found.kind;
  return family === "ipv6" && !globalUnicast.check(address, family) ? "reserved" : undefined;
}

/** The same for a name that never leads to the web at large, whatever a resolver says (RFC 6761, 6762, 8375, 9476). */
export function specialNameKind(host: string): string | undefined {
  const name = host.replace(/\.$/, "").toLowerCase();
  if (/(^|\.)localhost$|(^|\.)localdomain$|^ip6-(localhost|loopback)$/.test(name)) return "loopback";
  if (/(^|\.)(local|internal|home\.arpa)$/.test(name)) return "a name of local networks";
  // "127.0.0.1..": the URL parser takes it for a name, and some resolvers do not.
  return /^\.|\.\.|\.$/.test(name) ? "no name of a host" : undefined;
}
