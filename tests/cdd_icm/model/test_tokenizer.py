"""CLIP's own vocabulary and a learnt one: ids, lost bytes, and texts that are too long."""

import unicodedata

import open_clip
import pytest

from cdd_icm.model.tokenizer import clip_tokenizer, learn_tokenizer, tokenize

WORDS = ["Add a red cube at the center", "put a blue sphere behind it on the left"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "Add a red cube.",
        " It's   behind the BLUE sphere, on the left!! ",
        "naïve café 12",
        "",
        "a <= b",
    ],
)
def test_clips_own_tokenizer_gives_open_clips_ids(text):
    ids, mask = tokenize(clip_tokenizer(), [text])
    expected = open_clip.tokenize([text])[0]
    length = int(mask.sum())
    assert ids[0, :length].tolist() == expected[:length].tolist()
    assert not expected[length:].any()  # open_clip's padding
    assert mask[0, :length].all() and ids.max() < 49408


@pytest.mark.parametrize(
    "text", ["Add a purple cone", "Größe ☃ 你好 \x07", "add <end> now <pad>", "  two  blanks"]
)
def test_a_learnt_tokenizer_loses_no_bytes(text):
    tokenizer = learn_tokenizer(WORDS, 300, 64)
    ids, mask = tokenize(tokenizer, [text])
    words = ids[mask].tolist()
    assert (words[0], words[-1]) == (1, 2) and not set(words[1:-1]) & {0, 1, 2}
    assert tokenizer.decode(words[1:-1]).strip() == unicodedata.normalize("NFKC", text).lower().strip()
    assert (
        len(tokenizer) <= 300
        and tokenizer.decode(tokenize(tokenizer, [WORDS[0]])[0][0].tolist()).count(" ") < 9
    )


@pytest.mark.parametrize(
    "tokenizer", [clip_tokenizer(16), learn_tokenizer(WORDS, 300, 16)], ids=["clip", "learnt"]
)
def test_a_text_that_is_too_long_loses_its_end(tokenizer):
    newest = "and now a red cube"
    long, short = (
        tokenize(tokenizer, [text])[0][0].tolist() for text in (newest + " old words" * 40, newest)
    )
    kept = [
        i for i in short if i not in (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
    ]
    assert len(long) == 16
    assert long[0] == tokenizer.bos_token_id and long[-1] == tokenizer.eos_token_id
    assert long[1 : 1 + len(kept)] == kept
