/** Moves punctuation to the word before it, as transformers does in decoding unless switched off. */

const replacements = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

/**
 * Applied to decoded text, never to a piece of a stream: what is replaced may span two pieces.
 *
 * Source: transformers 4.33.3, `clean_up_tokenization`.
 */
export const cleanUp = (text: string): string =>
  replacements.reduce((result, [from, to]) => result.replaceAll(from, to), text);
