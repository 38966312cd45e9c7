/** A file as the checkpoint readers see it: a name, a size, and bytes at an offset. */

/** An open file (a path on disk, a blob in the browser). */
export interface ByteSource {
  /** What messages call the file: its path. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /**
   * Reads the bytes from `offset` on into all of `into`, and returns it.
   *
   * @throws OpenFlamingoError "checkpoint-damaged" where the file ends earlier
   */
  read(offset: number, into: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The numbers in `bytes`. */
export const numbersIn = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Text from UTF-8, or undefined where the bytes are none. A byte order mark is kept: it is part of a name.
 */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
