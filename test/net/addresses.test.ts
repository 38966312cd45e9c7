/** Addresses that are not public, however they are written: none is reached, counted at a server that listens. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { specialKind } from "../../src/net/addresses.node.js";
import { failureOf, type LocalServer, serve, textOf, type World, worldOf } from "./servers.js";

/** Addresses by kind, each network by its first and last address where it is not one alone. */
const special: readonly (readonly [kind: string, ...addresses: string[]])[] = [
  ["unspecified", "0.0.0.0", "0.255.255.255", "::", "0:0:0:0:0:0:0:0"],
  ["loopback", "127.0.0.0", "127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"],
  ["private", "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
  ["shared by a provider's customers", "100.64.0.0", "100.100.100.200", "100.127.255.255"],
  ["link-local", "169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255"],
  [
    "link-local",
    "fe80::",
    "fe80::1",
    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::1%eth0",
    "2606:4700::1%1",
  ],
  ["cloud metadata", "168.63.129.16"],
  [
    "protocol assignment",
    "192.0.0.0",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.0.255",
    "2001:1::1",
    "2001:1ff:ffff::",
  ],
  [
    "documentation",
    "192.0.2.0",
    "192.0.2.255",
    "198.51.100.0",
    "198.51.100.255",
    "203.0.113.0",
    "203.0.113.255",
  ],
  ["documentation", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff::1"],
  ["benchmarking", "198.18.0.0", "198.19.255.255", "2001:2::", "2001:2:0:ffff::1"],
  ["anycast service", "192.88.99.0", "192.88.99.255", "192.31.196.1", "192.52.193.1", "192.175.48.1"],
  [
    "multicast",
    "224.0.0.0",
    "239.255.255.255",
    "ff00::",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  ],
  [
    "reserved",
    "240.0.0.0",
    "255.255.255.255",
    "100::1",
    "1fff:ffff::",
    "4000::",
    "5f00::1",
    "fbff::",
    "fe00::1",
  ],
  ["IPv4 inside IPv6", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:a00:1"],
  ["IPv4 inside IPv6", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::a00:1"],
  ["6to4", "2002::", "2002:7f00:1::", "2002:a00:1::1", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["Teredo", "2001::", "2001:0:7f00:1::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["unique local", "fc00::", "fd00:ec2::254", "fd20:ce::254", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["site-local", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["no IP address", "", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]", "1.2.3.4 ", "1.2.3.256"],
];
const addresses = special.flatMap(([kind, ...each]) => each.map((address) => [address, kind] as const));

/** What stands beside those networks, and is public. */
const publicAddresses = [
  ["1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"],
  ["168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"],
  [
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
  ],
  ["203.0.112.255", "203.0.114.0", "223.255.255.255", "8.8.8.8", "93.184.216.34"],
  ["2000::", "2001:200::", "2001:4860:4860::8888", "2001:db7::", "2001:db9::", "2003::", "2606:4700::1111"],
  ["2a00:1450:4001::1", "3ffe:ffff::", "3fff:1000::"],
].flat();

test.each(addresses)("%s is not public: %s", (address, kind) => {
  expect(specialKind(address)).toBe(kind);
});

test.each(publicAddresses)("%s is public", (address) => {
  expect(specialKind(address)).toBeUndefined();
});

describe("a server that counts", () => {
  let canary: LocalServer;
  let world: World;
  beforeAll(async () => {
    canary = await serve((_, response) => response.end("reached"));
  });
  afterAll(() => canary.close());
  beforeEach(() => {
    world = worldOf(canary.port, { "images.test": [["93.184.216.34"]] });
  });

  test("is reached through a public address, which shows that this network leads there", async () => {
    expect(await textOf("http://images.test/", world)).toBe("reached");
    expect(await textOf("http://8.8.8.8/", world)).toBe("reached");
    expect(await textOf("http://[2606:4700::1111]/", world)).toBe("reached");
    expect(world.reached).toEqual(["93.184.216.34", "8.8.8.8", "2606:4700::1111"]);
    expect(canary.connections()).toBe(3);
  });

  const rejectedBeforeConnecting = async (url: string, options = world) => {
    const before = canary.connections();
    const error = await failureOf(url, options);
    expect(error).toMatchObject({
      code: "network",
      message: expect.stringMatching(
        /: the host's address is not public \(.+\), and only public ones are fetched$/,
      ),
      hint: expect.stringContaining("allowPrivateAddresses: true"),
    });
    expect(options.reached).toEqual([]);
    expect(canary.connections()).toBe(before);
  };

  const literals = addresses.filter(
    ([address]) => !address.includes("%") && specialKind(address) !== "no IP address",
  );
  test.each(literals)("is not reached by %s in a URL", (address) =>
    rejectedBeforeConnecting(address.includes(":") ? `http://[${address}]/` : `http://${address}/`),
  );

  test.each(addresses)("is not reached by a name that resolves to %s", (address) =>
    rejectedBeforeConnecting("http://evil.test/", worldOf(canary.port, { "evil.test": [[address]] })),
  );

  test("is not reached by a name of which one address is public and another is not", async () => {
    for (const pair of [
      ["93.184.216.34", "127.0.0.1"],
      ["::1", "2606:4700::1111"],
      ["8.8.8.8", "8.8.4.4", "169.254.169.254"],
    ]) {
      await rejectedBeforeConnecting("http://evil.test/", worldOf(canary.port, { "evil.test": [pair] }));
    }
  });

  test.each([
    ...[
      "http://127.1/",
      "http://127.0.1/",
      "http://0/",
      "http://0x7f.1/",
      "http://0x7F000001/",
      "http://2130706433/",
    ],
    ...["http://017700000001/", "http://0177.0.0.1/", "http://0177.0x0.0.1/", "http://00000177.0.0.01/"],
    ...["http://127.0.0.1./", "http://0x7f.0x0.0x0.0x1./", "http://%31%32%37.0.0.1/", "http://127%2e0.0.1/"],
    ...["http://①②⑦.⓪.⓪.①/", "http://１２７.０.０.１/", "http://127。0。0。1/", "http://127．0．0．1/"],
    ...[
      "http:\\\\127.0.0.1\\",
      "http:127.0.0.1",
      "http:///127.0.0.1/",
      "HTTP://127.0.0.1/",
      " http://127.0.0.1/ ",
    ],
    ...[
      "http://127.0.0.1:80/",
      "https://127.0.0.1/",
      "http://8.8.8.8@127.0.0.1/",
      "http://user:pass@127.0.0.1/",
    ],
    ...["http://2852039166/", "http://0xa9fea9fe/", "http://169.16689662/", "http://0251.0376.0251.0376/"],
    ...["http://[::ffff:7f00:1]/", "http://[::ffff:169.254.169.254]/", "http://[::ffff:0a00:0001]/"],
    ...["http://[0000:0000:0000:0000:0000:0000:0000:0001]/", "http://[::1.2.3.4]/", "http://[FE80::1]/"],
  ])("is not reached by the spelling %s", (url) => rejectedBeforeConnecting(url));

  test.each([
    ...["localhost", "LOCALHOST", "localhost.", "loc\u00adalhost", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "%6cocalhost", "a.localhost"],
    ...["a.b.localhost.", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "printer.local"],
    ...["metadata.google.internal", "instance-data.ec2.internal", "router.home.arpa"],
    ...["127.0.0.1..", "127.0.0.1...", "localhost..", "a..test", ".test"],
  ])("is not reached by the name %s, whatever the resolver says", async (host) => {
    const generous = { ...world, resolve: async () => ["93.184.216.34"] };
    await rejectedBeforeConnecting(`http://${host}/`, generous);
  });

  test.each([
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "1.2.3.4.5",
    "4294967296",
    "256.0.0.1",
    "0x100000000",
    "[::1",
  ])("is not reached by %s, which is no URL", (host) => {
    expect(URL.canParse(`http://${host}/`)).toBe(false);
  });

  test("is reached by all of them where private addresses are allowed", async () => {
    const names = Object.fromEntries(["localhost", "printer.local"].map((name) => [name, [["127.0.0.1"]]]));
    const trusting = { ...worldOf(canary.port, names), allowPrivateAddresses: true };
    const hosts = [
      "127.0.0.1",
      "0",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "localhost",
      "printer.local",
      "169.254.169.254",
    ];
    for (const host of hosts) expect(await textOf(`http://${host}/`, trusting)).toBe("reached");
  });

  test("is not reached by what is not true, where private addresses would be allowed by true", async () => {
    for (const value of ["true", 1, {}, [], null, undefined]) {
      await rejectedBeforeConnecting("http://127.0.0.1/", {
        ...world,
        allowPrivateAddresses: value as boolean,
      });
    }
  });
});
