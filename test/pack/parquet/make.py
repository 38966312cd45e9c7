"""Makes the Parquet files of this folder: pip install pyarrow; python make.py. Written with pyarrow 21 or later."""

import pyarrow as pa
import pyarrow.parquet as pq

rows = 7
table = pa.table(
    {
        "SAMPLE_ID": pa.array(range(100, 100 + rows), pa.int64()),
        "URL": [f"https://example.org/{i}.jpg" for i in range(rows)],
        "TEXT": ["a cat", "zwölf Boxkämpfer", None, "猫", "a cat", "", "x" * 300],
        "key": [f"{i:09d}" for i in range(rows)],
        "similarity": pa.array([0.25 + 0.01 * i for i in range(rows)], pa.float32()),
    }
)
for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
    pq.write_table(table, f"{codec}.parquet", compression=codec, row_group_size=3)
pq.write_table(table.drop(["TEXT"]), "no-text.parquet")
bomb = pa.table({"URL": ["https://example.org/"], "TEXT": ["x" * 300_000_000]})
pq.write_table(bomb, "bomb.parquet", compression="brotli", use_dictionary=False, write_statistics=False, store_schema=False)
