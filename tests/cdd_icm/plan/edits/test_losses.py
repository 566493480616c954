"""The likelihood of what is asked for."""

import math

import pytest
import torch

from cdd_icm.plan.edits.losses import edit_loss, side_loss
from cdd_icm.plan.edits.requests import CHANGE, MAX_OBJECTS, Placed
from tests.cdd_icm.plan.edits.toy import GRID, network, requests


def loss_of(net, made):
    return edit_loss(net, made, Placed.asked_by(made))


def test_the_loss_is_the_mean_over_requests():
    net, both = network(), requests()
    whole = loss_of(net, both)
    single = [loss_of(net, both[slice(i, i + 1)]) for i in range(len(both.ids))]
    for name, value in whole.items():
        alone = sum(float(terms.get(name, 0.0)) for terms in single) / len(single)
        assert float(value) == pytest.approx(alone, rel=2e-2)  # half-planes are in bfloat16


def test_padding_changes_nothing():
    net, both = network(), requests()
    short = both[slice(0, 1)]
    trimmed = short.trimmed(int(short.mask.sum()))
    for name, value in loss_of(net, short).items():
        assert float(value) == pytest.approx(float(loss_of(net, trimmed)[name]), abs=1e-4)


def test_every_weight_has_a_gradient():
    net = network()
    sum(loss_of(net, requests()).values()).backward()
    without = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    assert not without


def test_uninformed_places_are_uniform():
    net = network()
    for last in (net.map_out, net.pair_out):
        torch.nn.init.zeros_(last.weight)
    placed = 2 / 4  # of four requests, one adds and one moves
    assert float(loss_of(net, requests())["places"]) == pytest.approx(placed * math.log(GRID**2), rel=1e-4)


def test_sides_count_only_where_they_differ():
    sides = torch.tensor([[2.0, 5.0]])
    same_row = side_loss(sides, torch.tensor([3]), torch.tensor([1]), GRID)
    assert float(same_row) == pytest.approx(math.log1p(math.exp(-2.0)))


@pytest.mark.slow
def test_a_network_that_learns_the_requests_gets_them_right():
    net, both = network(), requests()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        sum(loss_of(net, both).values()).backward()
        optimizer.step()
    right = right_requests(net, both)
    assert right["what"].all() and right["intent"].all()


def right_requests(network, requests):
    """Whether, of each text, the likeliest edits are right, (B,): `what` without places, and `intent`."""
    asked, scene = requests.asked, requests.scene
    logits = network(requests.ids, requests.mask, scene)
    n = MAX_OBJECTS
    there = asked.actions >= 0
    changed = asked.actions == CHANGE
    right = ((logits.actions.argmax(dim=-1) == asked.actions) | ~there).all(dim=1)
    right &= ((logits.added > 0) == asked.added).all(dim=1)
    aspects = torch.cat([asked.classes[:, :n, None], asked.traits[:, :n], asked.cells[:, :n, None]], dim=-1)
    right &= (((logits.aspects > 0) == (aspects >= 0)) | ~changed[..., None]).flatten(1).all(dim=1)
    right &= ((logits.classes.argmax(dim=-1) == asked.classes) | (asked.classes < 0)).all(dim=1)
    for k, values in enumerate(logits.traits):
        truth = asked.traits[..., k]
        right &= ((values.argmax(dim=-1) == truth) | (truth < 0)).all(dim=1)
    return {"what": right, "intent": logits.intents.argmax(dim=-1) == asked.intents}
