"""Writes a language model of MPT-7B's shape for llama.cpp, Q4_0, random numbers, for `bench/peers/llama.ts`.

    python mptGguf.py FILE BLOCKS

Needs the packages `gguf` and `numpy`. The vocabulary is made up: nothing is read but ids.
"""
import sys

import gguf
import numpy

file, blocks = sys.argv[1], int(sys.argv[2])
width, heads, vocabulary = 4096, 32, 50432
random = numpy.random.default_rng(0)
writer = gguf.GGUFWriter(file, "mpt")
writer.add_block_count(blocks)
writer.add_context_length(2048)
writer.add_embedding_length(width)
writer.add_feed_forward_length(4 * width)
writer.add_head_count(heads)
writer.add_layer_norm_eps(1e-5)
writer.add_max_alibi_bias(8.0)
writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("mpt")
# The alphabet of byte-level BPE, so that a text of any bytes has tokens; the rest is made up.
alphabet = [chr(b) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b else None for b in range(256)]
letters = [letter or chr(256 + alphabet[:b].count(None)) for b, letter in enumerate(alphabet)]
writer.add_token_list(letters + [f"word{i}" for i in range(vocabulary - 256)])
writer.add_token_types([gguf.TokenType.NORMAL] * vocabulary)
writer.add_token_merges([f"{letters[97]} {letters[98]}"])
writer.add_bos_token_id(0)
writer.add_eos_token_id(0)


def norm(name):
    writer.add_tensor(name + ".weight", numpy.ones(width, numpy.float32))


def matrix(name, rows, columns):
    """Blocks of 32: a float16 scale and 16 bytes of values."""
    each = random.integers(0, 256, (rows, columns // 32, 18), numpy.uint8)
    scale = numpy.float16(0.15 * columns**-0.5)
    each[:, :, :2] = numpy.frombuffer(scale.tobytes(), numpy.uint8)
    data = each.reshape(rows, columns // 32 * 18)
    writer.add_tensor(name + ".weight", data, raw_dtype=gguf.GGMLQuantizationType.Q4_0)


matrix("token_embd", vocabulary, width)
norm("output_norm")
for i in range(blocks):
    at = f"blk.{i}."
    norm(at + "attn_norm")
    norm(at + "ffn_norm")
    matrix(at + "attn_qkv", 3 * width, width)
    matrix(at + "attn_output", width, width)
    matrix(at + "ffn_up", 4 * width, width)
    matrix(at + "ffn_down", width, 4 * width)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
