/** Writes tar archives byte by byte, so that tests can say what is wrong with them. */

export interface File {
  readonly name: string;
  readonly data: Uint8Array | string;
  readonly type?: string;
}

/** One file: its header and its content, filled to whole blocks. */
export function tarFile({ name, data, type = "0" }: File): Buffer {
  const content = Buffer.from(data);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** The mark of the end. */
export const tarEnd = Buffer.alloc(1024);

export const tar = (files: readonly File[]): Buffer => Buffer.concat([...files.map(tarFile), tarEnd]);
