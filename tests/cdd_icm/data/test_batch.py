"""From triplets to tensors, and the randomness of a sample."""

import pytest
import torch

from cdd_icm.data import TripletDataset, load_dialogs
from cdd_icm.data import batch as data_batch
from cdd_icm.data.batch import NO_OP_TEXTS, no_op_text
from cdd_icm.data.cache import PictureCache
from cdd_icm.data.picture import to_float
from cdd_icm.data.triplets import pictures_of
from cdd_icm.model.tokenizer import learn_tokenizer
from tests.cdd_icm.plans import annotated_collator

CPU = torch.device("cpu")
PAIRS = (("left", "right"), ("behind", "in front of"))


def test_a_batch_of_real_triplets(make_config):
    config = make_config(encoder__history=1)
    dialogs = load_dialogs(config.data.path, "train")[:2]
    cache = PictureCache.open_or_build(None, pictures_of(dialogs), 32, progress=False)
    dataset = TripletDataset(dialogs, cache)
    tokenizer = learn_tokenizer([turn.instruction for turn in dialogs[0].turns], 400, 64)
    make = annotated_collator(config, dialogs, tokenizer)
    classes = make.encode_truth.classes
    assert make.encode_truth.traits == {}  # i-CLEVR tells of none
    loaded = make([dataset[i] for i in range(3)])
    assert loaded.target.dtype == torch.uint8 and loaded.turns == [(dialogs[0].id, i) for i in range(3)]
    batch = loaded.on(CPU)
    assert torch.equal(batch.target, to_float(loaded.target))
    assert batch.reference.shape == batch.target.shape == batch.other.shape == (3, 3, 32, 32)
    assert torch.equal(batch.reference[1], batch.target[0])  # turn 1 starts where turn 0 ended
    assert batch.target.min() >= -1 and batch.target.max() <= 1
    turns = dialogs[0].turns
    written = tokenizer.decode(batch.ids[1], skip_special_tokens=True).strip()
    both = f"{turns[1].instruction} <= {turns[0].instruction}".lower()
    assert written == both
    for i in range(3):  # i-CLEVR adds one object a turn
        assert classes[batch.plan.cells[i].argmax()] == turns[i].objects[-1].name
        assert (batch.plan.cells[i] >= 0).sum() == 1 and (batch.plan.existing[i] >= 0).sum() == i
    assert not batch.null_mask[0, 2:].any() and batch.null_ids[0, :2].tolist() == [1, 2]


def test_no_op_texts_come_as_often_as_the_config_says_and_all_of_them(make_config):
    objective = make_config(objective__no_op_share=0.2).objective
    texts = [no_op_text(int((i + 0.5) / 10_000 * 2**31), objective) for i in range(10_000)]
    assert all(texts.count(text) == 500 for text in NO_OP_TEXTS) and texts.count(None) == 8000


@pytest.mark.parametrize("no_op_share", [0, 1])
def test_texts_are_read_as_the_speakers(real_items, make_config, tiny_pipeline, no_op_share, monkeypatch):
    options = {"objective__no_op_share": no_op_share, "encoder__history": 1}
    plain, spoken = make_config(**options), make_config(**options, encoder__speaker="<boss>")
    items, dialogs = real_items(plain, 3)
    marked = [
        item
        | {
            "instruction": f"<boss> {item['instruction']}",
            "history": [f"<boss> {text}" for text in item["history"]],
        }
        for item in items
    ]
    monkeypatch.setattr(data_batch, "NO_OP_TEXTS", ["<boss> keep it"])
    told = annotated_collator(plain, dialogs, tiny_pipeline.tokenizer)(marked)
    monkeypatch.setattr(data_batch, "NO_OP_TEXTS", ["keep it"])
    read = annotated_collator(spoken, dialogs, tiny_pipeline.tokenizer)(items)
    assert torch.equal(read.ids, told.ids) and torch.equal(read.mask, told.mask)


def test_a_no_op_sample_keeps_the_picture_and_draws_nothing(
    real_items, make_config, tiny_pipeline, monkeypatch
):
    monkeypatch.setattr(data_batch, "NO_OP_TEXTS", ["keep it"])
    config = make_config(objective__no_op_share=1)
    items, dialogs = real_items(config, 3)
    batch = annotated_collator(config, dialogs, tiny_pipeline.tokenizer)(items)
    assert batch.no_op.all() and torch.equal(batch.reference, batch.target)
    assert (batch.plan.cells == -1).all() and (
        (batch.plan.existing >= 0).sum(dim=1) == torch.arange(1, 4)
    ).all()
    written = tiny_pipeline.tokenizer.decode(batch.ids[2], skip_special_tokens=True)
    assert written.strip().startswith("keep it <= " + items[2]["instruction"].lower()[:8])
