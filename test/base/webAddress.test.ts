import { expect, test } from "vitest";
import { shownAddress } from "../../src/base/webAddress.js";

test.each([
  ["https://example.org/a/cat.jpg", "https://example.org/a/cat.jpg"],
  ["https://user:secret@example.org:8443/cat.jpg?token=secret#secret", "https://example.org:8443/cat.jpg"],
  ["http://secret@example.org", "http://example.org/"],
  ["http://:secret@[::1]:80/?secret", "http://[::1]/"],
  [" \thttp://sec\nret@example.org/ \u001b", "http://example.org/"],
  ["http:secret@example.org/", "http://example.org/"],
  ["http:\\\\secret@example.org\\a b", "http://example.org/a%20b"],
  ["http://example.org/\u001b[2J\u202e\u009b", "http://example.org/%1B[2J%E2%80%AE%C2%9B"],
  ["https://user:secret@", "a malformed web address"],
  ["https://user:secret@host:port/", "a malformed web address"],
  ["data:image/png;base64,secret", "data:…"],
])("%j is shown as %j", (address, shown) => {
  expect(shownAddress(address)).toBe(shown);
  if (URL.canParse(address)) expect(shownAddress(new URL(address))).toBe(shown);
});
