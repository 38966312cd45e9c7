/** From a number to the 16 bits of a half-precision float; `halfToFloat` in dtypes.ts is the way back. */

/** IEEE half precision: 1 sign, 5 exponent and 10 mantissa bits. */
export const floatToHalf = (value: number): number => roundTo(value, { mantissaBits: 10, exponentBits: 5 });

/** The upper half of a float32: 1 sign, 8 exponent and 7 mantissa bits. */
export const floatToBfloat16 = (value: number): number =>
  roundTo(value, { mantissaBits: 7, exponentBits: 8 });

/** The number that the 16 bits of a bfloat16 stand for. */
export const bfloat16ToFloat = (bits: number): number =>
  new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;

/** To the nearest, of two that are equally near to the even one; what is too large becomes infinity. */
function roundTo(
  value: number,
  { mantissaBits, exponentBits }: Record<"mantissaBits" | "exponentBits", number>,
) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  const infinity = ((1 << exponentBits) - 1) << mantissaBits;
  if (Number.isNaN(value)) return infinity | 1;
  if (magnitude === Number.POSITIVE_INFINITY) return sign | infinity;
  const bias = 2 ** (exponentBits - 1) - 1;
  // Below the smallest normal number the steps stay as they are there.
  const exponent = Math.max(1 - bias, Math.floor(Math.log2(magnitude)));
  const mantissa = roundHalfToEven(magnitude / 2 ** (exponent - mantissaBits)); // with the leading 1 that is not stored
  // A mantissa that was rounded up to the next power of two carries into the exponent, as it should.
  const bits = (exponent + bias - 1) * 2 ** mantissaBits + mantissa;
  return sign | Math.min(bits, infinity);
}

function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}

/** Rounds finite numbers to bfloat16 where they lie: what is dropped is half of a step or more, or leaves an even one. */
export function roundToBfloat16(values: Float32Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    words[i] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  }
}
