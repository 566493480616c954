"""Where a new object goes beside the existing ones: which are detected, and half-planes at their places."""

import pytest
import torch

from cdd_icm.errors import InputError
from cdd_icm.model.fusion import Fused
from cdd_icm.plan.annotated.network import PlanNetwork
from cdd_icm.plan.annotated.placement import Placement
from cdd_icm.plan.annotated.relations import each_class, relation_loss
from cdd_icm.plan.shared.camera import to_ground
from cdd_icm.plan.shared.decoder import position_features
from cdd_icm.plan.shared.detector import ObjectDetector, existing_cells
from cdd_icm.plan.shared.tuning import Tuning

GRID, CLASSES = 8, 3


def make_placement(**changed):
    torch.manual_seed(0)
    return Placement(**{"classes": CLASSES, "width": 16, "heads": 2, "grid": GRID, "kernels": 4, **changed})


def words(n):
    return torch.randn(n, 5, 16), torch.ones(n, 5, dtype=torch.bool)


def test_an_existing_object_is_in_the_likeliest_cell_of_each_class_that_is_expected():
    seen = torch.full((1, 3, 4, 4), -9.0)
    seen[0, 0, 1, 2] = 3.0  # surely there
    seen[0, 2, 3, 0], seen[0, 2, 3, 1] = -0.5, -0.4  # nobody knows in which of the two
    assert existing_cells(seen, 0.2).tolist() == [[6, -1, 13]]
    seen[0, 1, 2, 2] = -8.0  # hardly to be seen, but drawn a turn ago
    assert existing_cells(seen, 0.2, torch.tensor([1])).tolist() == [[6, 10, 13]]
    assert existing_cells(seen, 0.2, torch.tensor([-1])).tolist() == [[6, -1, 13]]


def test_objects_are_detected_cell_by_cell_and_at_first_none():
    torch.manual_seed(0)
    detect = ObjectDetector(image_size=32, classes=CLASSES, grid=GRID)
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    assert detect(pictures).shape == (2, CLASSES, GRID, GRID)
    assert existing_cells(detect(pictures), 0.2).tolist() == [[-1] * CLASSES] * 2


def test_at_first_all_cells_are_alike():
    said, mask = words(2)
    existing = torch.tensor([[5, -1, 9], [-1, -1, -1]])
    cells, sides = make_placement()(said, mask, existing, torch.tensor([2, -1]))
    assert cells.tolist() == [[0.0] * GRID**2] * 2
    assert sides.shape == (2, CLASSES, 2) and not sides[0, 1].any() and not sides[1].any()


def test_the_kernels_are_half_planes_that_part_where_the_object_is():
    placement = make_placement()
    to_the_right = torch.zeros(1, 4)
    to_the_right[0, 0] = 1.0  # the kernels begin with the direction of x
    shifted = placement._shifted_kernels(to_the_right, torch.tensor([[2, 5]])).view(GRID, GRID)
    assert (shifted[:, 3:] > 0.9).all() and (shifted[:, :2] < -0.9).all()
    assert shifted[:, 2].abs().max() < 1e-5
    down = torch.zeros(1, 4)
    down[0, 1] = 1.0
    shifted = placement._shifted_kernels(down, torch.tensor([[2, 5]])).view(GRID, GRID)
    assert (shifted[6:] > 0.9).all() and (shifted[:5] < -0.9).all()


def test_a_kernel_lies_at_its_offset_from_every_object():
    placement = make_placement()
    torch.nn.init.zeros_(placement.kernels)
    with torch.no_grad():  # two to the right and one up
        middle = 2 * GRID - 1  # two numbers a cell
        placement.kernels[3, middle - 2, middle + 4] = 1 / placement.sharpening
    said = torch.zeros(2, 4)
    said[:, 3] = torch.tensor([1.0, 10.0])
    shifted = placement._shifted_kernels(said, torch.tensor([[0, 3], [5, 7]])).view(2, GRID, GRID).detach()
    assert shifted[0].nonzero().tolist() == [[2, 2]] and shifted[0, 2, 2] == pytest.approx(1)
    assert shifted[1].nonzero().tolist() == [[6, 7]] and shifted[1, 6, 7] == pytest.approx(10)


def test_on_the_ground_parallels_meet_at_the_horizon():
    """A level pinhole camera sees the point (X, Z) of the ground, a unit below it, at
    (X / Z + 1/2, 1 / Z + horizon)."""
    horizon, right, away = -0.25, torch.tensor([0.3, 0.3, -0.5]), torch.tensor([1.0, 2.0, 1.0])
    seen = torch.stack([right / away + 0.5, 1 / away + horizon], dim=-1)
    there = to_ground(seen, horizon)
    unit = 0.75  # of the middle the distance below the horizon
    assert torch.allclose(there, torch.stack([0.5 + unit * right, 0.5 + unit - unit**2 * away], dim=-1))
    near_the_middle = torch.tensor([[0.501, 0.5], [0.5, 0.501]])
    assert torch.allclose(to_ground(near_the_middle, horizon), near_the_middle, atol=2e-6)
    assert to_ground(seen, None) is seen and to_ground(torch.zeros(1, 2), 0.1).isfinite().all()


def test_what_is_behind_lies_on_a_line_to_the_vanishing_point():
    placement = make_placement(horizon=-0.25)
    to_the_right = torch.zeros(1, 4)
    to_the_right[0, 0] = 1.0
    shifted = placement._shifted_kernels(to_the_right, torch.tensor([[6, 6]])).view(GRID, GRID).detach()
    sides = [(row > 0).nonzero().min().item() for row in shifted]  # the first cell on the right, row by row
    assert sides[0] < sides[3] < sides[6] <= 7


def taught():
    placement = make_placement()
    for last in (placement.kernel_out, placement.map_out):
        torch.nn.init.normal_(last.weight)
    return placement.eval()


def test_an_item_of_a_batch_equals_that_item_alone():
    """Though the fullest picture decides how many objects are looked at."""
    placement, (said, mask) = taught(), words(3)
    existing = torch.tensor([[5, -1, -1], [63, 0, 17], [-1, -1, -1]])
    antecedent = torch.tensor([0, 1, -1])
    together = placement(said, mask, existing, antecedent)
    for i in range(3):
        alone = placement(*(part[i : i + 1] for part in (said, mask, existing, antecedent)))
        for one, all_ in zip(alone, together, strict=True):
            assert torch.allclose(one[0], all_[i], atol=1e-5)


def test_words_that_are_masked_say_nothing():
    placement, (said, mask) = taught(), words(1)
    mask[:, 3:] = False
    there = torch.tensor([[5, -1, 60]]), torch.tensor([2])
    before = placement(said, mask, *there)[0]
    said[:, 3:] = 7.0
    assert torch.equal(placement(said, mask, *there)[0], before)
    said[:, 0] = 7.0
    assert not torch.allclose(placement(said, mask, *there)[0], before)


def test_it_is_what_came_last():
    """The same words with another antecedent mean another place; what does not exist is not it."""
    placement, (said, mask) = taught(), words(1)
    torch.nn.init.normal_(placement.antecedent)
    existing = torch.tensor([[5, -1, 60]])
    first, third, none, away = (placement(said, mask, existing, torch.tensor([i]))[0] for i in (0, 2, -1, 1))
    assert not torch.allclose(first, third) and not torch.allclose(first, none)
    assert torch.equal(none, away)


def test_a_place_is_told_apart_to_the_cell():
    at = torch.stack(torch.meshgrid(torch.arange(32), torch.arange(32), indexing="xy"), dim=-1).view(1, -1, 2)
    known = position_features((at + 0.5) / 32)[0]
    apart = torch.cdist(known, known) + 9 * torch.eye(len(known))
    assert apart.min() > 0.5


def fused_of(n):
    said, mask = words(n)
    tokens = torch.randn(n, 16, 16)
    return Fused(tokens, torch.randn(n, 5, 16), mask, torch.randn(n, 16), torch.randn(n, 6), said)


def test_a_planner_with_kernels_detects_the_existing_objects_unless_it_is_told():
    torch.manual_seed(0)
    network = PlanNetwork(3, (), 16, 6, 2, GRID, 64, 0, 0, 4, None, 32, Tuning())
    torch.nn.init.normal_(network.placement.kernel_out.weight)
    torch.nn.init.constant_(network.detector.last[-1].bias, 3.0)  # finds all classes somewhere
    fused, reference = fused_of(2), torch.rand(2, 3, 32, 32)
    existing = existing_cells(network.detector(reference), 0.2)
    assert (existing >= 0).all()
    found, told = network(fused, reference), network(fused, existing=existing)
    assert torch.equal(found.cell, told.cell) and found.cell.shape == (2, 3, GRID**2)
    assert not torch.equal(network(fused, existing=existing.flip(1)).cell, told.cell)


def test_the_sides_of_a_new_object_are_learnt_of_each_existing_one():
    existing, plan = torch.tensor([[9, -1, -1]]), torch.tensor([[-1, -1, 12]])  # to its right, in its row
    right = torch.tensor([[[4.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    valid = torch.tensor([True])
    good, bad = (relation_loss(each_class(s), existing, plan, GRID, valid) for s in (right, -right))
    assert good == pytest.approx(0.0181, abs=1e-3) and bad == pytest.approx(4.0181, abs=1e-3)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"plan": {"kind": "relational", "horizon": 0.5}}, "plan.horizon is 0.5, expected less than 0.5"),
        (
            {"plan": {"kind": "relational", "grid": 7}},
            "plan.grid is 7, expected twice a divisor of data.image_size",
        ),
    ],
)
def test_what_does_not_go_together_is_named(make_config, changed, says):
    with pytest.raises(InputError, match=says):
        make_config(**changed)
