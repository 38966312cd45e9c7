/** Names for contents: equal bytes have equal names, and others, for all purposes, have not. */

/** SHA-256 of the bytes, in hexadecimal. */
export async function sha256({ buffer, byteOffset, byteLength }: ArrayBufferView): Promise<string> {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice(); // shared memory is not taken
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
