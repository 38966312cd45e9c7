/** The tensors of CLIP: by their names in its checkpoint, and by those in a live model of the reference implementation. */

/** CLIP's two towers, by their names in its checkpoint. */
export const towers = {
  vision: /^visual\./,
  text: /^(transformer|token_embedding|ln_final)\.|^(positional_embedding|text_projection)$/,
};

export type Tower = keyof typeof towers;

/** Of CLIP, generation uses the vision encoder up to its last block. */
const unusedOfClip = [
  /^visual\.(ln_post\.|proj$)/, // what follows pooling
  towers.text,
  /^attn_mask$/, // the text tower's, which is no parameter
  /^(logit_scale|input_resolution|context_length|vocab_size)$/, // the last three: in OpenAI's own files
];

/** What generation calls a tensor of CLIP; undefined for one that it does not use. */
export function visionName(name: string): string | undefined {
  if (unusedOfClip.some((pattern) => pattern.test(name))) return undefined;
  return liveName(name);
}

/** What the reference implementation calls a tensor of CLIP when it is part of a Flamingo. */
export const liveName = (name: string): string => name.replace(/^visual\./, "vision_encoder.");
