"""The bands that are kept of texts: stable, alike for like texts, and apart for texts without words."""

from __future__ import annotations

import numpy as np
import polars as pl

from adp_assets.curation.likeness.minhash import BANDS, WITHOUT_WORDS, band_hashes
from adp_assets.mutation.novelty.shingles import jaccard, shingles


def test_bands_do_not_depend_on_the_texts_around_them() -> None:
    texts = [" ".join(f"w{number * step % 97}" for number in range(step % 150)) for step in range(2_000)]
    together = band_hashes(pl.Series(texts))
    assert together.shape == (2_000, BANDS)
    assert together.dtype == np.uint64
    alone = np.concatenate([band_hashes(pl.Series(texts[row : row + 1])) for row in range(0, 2_000, 97)])
    assert (together[::97] == alone).all()


def test_texts_without_words_have_the_band_that_no_other_text_has() -> None:
    bands = band_hashes(pl.Series(["", None, " \n\u3000", "a", "a b c d"]))
    assert (bands[:3] == WITHOUT_WORDS).all()
    assert (bands[3:] != WITHOUT_WORDS).all()
    assert band_hashes(pl.Series([], dtype=pl.String)).shape == (0, BANDS)


def test_texts_share_bands_as_often_as_their_likeness_says() -> None:
    """A band is shared with a chance of j^4: over 400 pairs the mean is within 4 standard errors of it."""
    rng = np.random.default_rng(5)
    for cut in (3, 10, 30):
        pairs = []
        for _ in range(400):
            words = [f"w{number}" for number in rng.integers(1 << 30, size=100)]
            pairs.append((" ".join(words), " ".join(words[cut:])))
        chance = jaccard(shingles(pairs[0][0]), shingles(pairs[0][1])) ** 4
        ones, others = (band_hashes(pl.Series(side)) for side in zip(*pairs, strict=True))
        shared = (ones == others).mean()
        assert abs(shared - chance) < 4 * np.sqrt(chance * (1 - chance) / (400 * BANDS))


def test_the_bands_are_those_of_this_version() -> None:
    """They are stored with every round: values that differ need a new `words.VERSION`."""
    bands = band_hashes(pl.Series(["Write a function that adds two numbers.", "请写一个函数", "x"]))
    assert bands[:, [0, 1, 31]].tolist() == GOLDEN


GOLDEN = [
    [12052632753516519053, 13026798388394914944, 18285759398025608839],
    [5097395558368900947, 7863960602652850652, 3173906656854856667],
    [11131336912697108874, 9689603326791429489, 9671216773195026933],
]
