/**
 * The letters that byte-level BPE writes bytes with, so that every token is readable text.
 *
 * Source: GPT-2's encoder; the `ByteLevel` parts of a `tokenizer.json` mean this alphabet.
 */

/** The letter of each of the 256 bytes: printable Latin-1 stands for itself, the rest follows from U+0100 on. */
export function byteAlphabet(): readonly string[] {
  let unprintable = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : 0x100 + unprintable++);
  });
}

/** Whether UTF-8 ever writes this byte; GPT-NeoX-20B has no letter for the 13 it never writes. */
export const isUtf8Byte = (byte: number): boolean => byte < 0xc0 || (byte > 0xc1 && byte < 0xf5);
