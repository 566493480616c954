"""Plans: from objects to cells and back, the likelihood that teaches them, and the drawing of one."""

import pytest
import torch

from cdd_icm.data import SceneObject
from cdd_icm.errors import InputError
from cdd_icm.fusion import Fused
from cdd_icm.planning import (
    PlanLogits,
    Planner,
    Relations,
    cell_loss,
    drawn_objects,
    plan_loss,
    plan_map,
    relation_loss,
    sample_plan,
    to_plan,
)

CLASSES = ("ball", "cube", "tree")
BALL, CUBE = SceneObject("ball", 0.1, 0.9), SceneObject("cube", 0.5, 0.25)


def test_a_plan_names_the_cell_of_each_class_and_minus_one_for_the_others():
    assert to_plan([BALL, CUBE], CLASSES, grid=4).tolist() == [12, 6, -1]


def test_what_stands_outside_the_picture_counts_in_the_nearest_cell():
    assert to_plan([SceneObject("tree", 1.2, -0.3)], CLASSES, grid=4).tolist() == [-1, -1, 3]


def test_an_unknown_class_is_named():
    with pytest.raises(InputError, match="'moon' is none of the 3 classes"):
        to_plan([SceneObject("moon", 0, 0)], CLASSES, grid=4)


def test_new_and_moved_objects_are_drawn_and_others_are_not():
    moved = SceneObject("ball", 0.3, 0.9)
    nearly = SceneObject("cube", 0.51, 0.25)
    tree = SceneObject("tree", 0.5, 0.5)
    assert drawn_objects([BALL, CUBE], [moved, nearly, tree]) == (moved, tree)


def test_the_map_has_a_one_in_the_planned_cell_alone():
    drawn = plan_map(torch.tensor([[12, 6, -1]]), grid=4)
    assert drawn.shape == (1, 3, 4, 4) and drawn.sum() == 2
    assert drawn[0, 0, 3, 0] == 1 and drawn[0, 1, 1, 2] == 1


def test_the_loss_is_the_negative_log_likelihood():
    presence, cell = torch.randn(2, 3), torch.randn(2, 3, 16)
    plan = torch.tensor([[12, -1, -1], [0, 3, -1]])
    expected = 0.0
    for i in range(2):
        for c in range(3):
            p = presence[i, c].sigmoid()
            expected -= (p if plan[i, c] >= 0 else 1 - p).log()
            if plan[i, c] >= 0:
                expected -= cell[i, c].softmax(dim=0)[plan[i, c]].log()
    everything = torch.ones(2, dtype=torch.bool)
    assert torch.allclose(plan_loss(PlanLogits(presence, cell), plan, everything), expected / 2)
    first = torch.tensor([True, False])
    alone = plan_loss(PlanLogits(presence[:1], cell[:1]), plan[:1], everything[:1])
    assert torch.allclose(plan_loss(PlanLogits(presence, cell), plan, first), alone / 2)


def test_the_cell_loss_counts_each_cell_of_the_valid_items():
    logits = torch.zeros(2, 3, 4, 4)
    standing = torch.tensor([[12, 6, -1], [-1, -1, -1]])
    valid = torch.tensor([True, False])
    assert torch.allclose(cell_loss(logits, standing, valid), torch.tensor(2.0).log() * 3 * 16 / 2)


def test_without_temperature_the_likeliest_cell_is_taken_and_with_it_the_distribution():
    probabilities = torch.tensor([0.1, 0.2, 0.7])
    n = 20_000
    logits = PlanLogits(torch.tensor([[2.0, -2.0]]).repeat(n, 1), probabilities.log().expand(n, 2, 3))
    generator = torch.Generator().manual_seed(0)
    gumbel = -torch.empty(n, 2, 3).exponential_(generator=generator).log()
    assert sample_plan(logits, gumbel, 0.0).unique(dim=0).tolist() == [[2, -1]]
    shares = sample_plan(logits, gumbel, 1.0)[:, 0].bincount() / n
    assert torch.allclose(shares, probabilities, atol=0.01)
    sharpened = probabilities**2 / (probabilities**2).sum()
    shares = sample_plan(logits, gumbel, 0.5)[:, 0].bincount() / n
    assert torch.allclose(shares, sharpened, atol=0.01)


def test_the_relation_loss_asks_on_which_side_of_each_standing_object_the_new_one_goes():
    grid, everything = 4, torch.ones(1, dtype=torch.bool)
    standing, plan = (
        torch.tensor([[5, 9, -1]]),
        torch.tensor([[-1, -1, 2]]),
    )  # at (1, 1), (1, 2); new at (2, 0)
    right = torch.zeros(1, 3, 3, 2)
    right[0, :2, 2, 0], right[0, :2, 2, 1] = 50.0, -50.0  # right of both, behind both
    assert relation_loss(right, standing, plan, grid, everything) < 1e-6
    wrong = relation_loss(-right, standing, plan, grid, everything)
    assert torch.allclose(wrong, torch.tensor(200.0))
    guess = relation_loss(torch.zeros_like(right), standing, plan, grid, everything)
    assert torch.allclose(guess, 4 * torch.tensor(2.0).log())
    in_column = torch.tensor([[-1, -1, 1]])  # the same column as both: only the rows count
    guess = relation_loss(torch.zeros_like(right), standing, in_column, grid, everything)
    assert torch.allclose(guess, 2 * torch.tensor(2.0).log())
    assert relation_loss(-right, standing, plan, grid, ~everything) == 0


def test_relations_are_read_where_the_standing_object_stands():
    torch.manual_seed(0)
    relations = Relations(3, width=8, grid=8)
    tokens = torch.randn(1, 16, 8, requires_grad=True)
    logits = relations(tokens, torch.tensor([[-1, 5 * 8 + 2, -1]]))
    assert logits.shape == (1, 3, 3, 2)
    logits[0, 1].sum().backward()
    assert tokens.grad[0].any(dim=1).nonzero().flatten().tolist() == [2 * 4 + 1]


def test_as_many_classes_are_drawn_as_are_expected():
    cell, none = torch.zeros(1, 4, 9), torch.zeros(1, 4, 9)

    def drawn(*probabilities):
        presence = torch.tensor([probabilities]).logit()
        return (sample_plan(PlanLogits(presence, cell), none, 0.0) >= 0)[0].tolist()

    assert drawn(0.05, 0.4, 0.3, 0.2) == [False, True, False, False]
    assert drawn(0.9, 0.01, 0.8, 0.1) == [True, False, True, False]
    assert drawn(0.1, 0.1, 0.1, 0.1) == [False] * 4


def test_a_cell_looks_at_the_whole_picture_and_a_class_has_its_own_places():
    torch.manual_seed(0)
    planner = Planner(CLASSES, width=8, text_width=6, heads=2, grid=8)
    tokens = torch.randn(1, 16, 8, requires_grad=True)
    mask = torch.ones(1, 5, dtype=torch.bool)
    fused = Fused(tokens, torch.randn(1, 5, 8), mask, torch.randn(1, 8), torch.randn(1, 6))
    logits = planner(fused)
    assert logits.presence.shape == (1, 3) and logits.cell.shape == (1, 3, 64)
    assert not torch.allclose(logits.cell[0, 0], logits.cell[0, 1])
    logits.cell[0, 1, 5 * 8 + 2].backward()
    assert tokens.grad[0].any(dim=1).all()
