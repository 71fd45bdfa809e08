"""datasketch's side, run by a Python of its own. Arguments: `FILE THRESHOLD HASH`, with a document a line.

MinHash of 128 permutations in bulk over distinct word 3-grams, and an index that each document is looked up
in before it is put there. `HASH` is `sha1`, its default, or `xxh3`, a faster one. The last line says the CPU
seconds and the number of pairs. Needs nothing of this checkout.
"""

from __future__ import annotations

import json
import sys
import time

from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]
from xxhash import xxh3_64_intdigest


def main(file: str, threshold: str, hash: str) -> None:
    with open(file, encoding="utf-8") as lines:
        documents = lines.read().split("\n")
    started = time.process_time()
    index = MinHashLSH(threshold=float(threshold), num_perm=128)
    pairs = 0
    options = {"hashfunc": hashed} if hash == "xxh3" else {}
    made = MinHash.generator(map(shingles, documents), num_perm=128, **options)
    for number, minhash in enumerate(made):
        pairs += len(index.query(minhash))
        index.insert(number, minhash)
    seconds = time.process_time() - started
    print(json.dumps({"cpu_seconds": round(seconds, 2), "pairs": pairs}))


def shingles(text: str) -> set[bytes]:
    words = text.lower().encode().split()
    return set(map(b" ".join, zip(words, words[1:], words[2:], strict=False)))


def hashed(shingle: bytes) -> int:
    return xxh3_64_intdigest(shingle) & 0xFFFFFFFF


if __name__ == "__main__":
    main(*sys.argv[1:])
