"""Half-planes and discs around an object's cell."""

import torch

from cdd_icm.plan.edits.half_planes import DIRECTIONS, EDGES, FUNCTIONS, HalfPlanes

GRID = 16


def functions_at(cell):
    return HalfPlanes(GRID, None)(torch.eye(FUNCTIONS), torch.full((FUNCTIONS,), cell)).view(-1, GRID, GRID)


def test_a_half_plane_begins_at_the_object():
    right = functions_at(8 * GRID + 5)[EDGES.index(0.0) * DIRECTIONS]  # the direction along x
    assert (right[:, 6:] > 0.9).all() and (right[:, :5] < -0.9).all()
    assert (right[:, 5] == 0).all()


def test_a_disc_holds_the_cells_near_the_object():
    disc = functions_at(8 * GRID + 5)[-1]
    assert disc[8, 5] > 0.9 and disc[0, 15] < -0.9


def test_the_sum_is_weighted():
    planes, cells = HalfPlanes(GRID, -0.3), torch.tensor([3, 200])
    weights = torch.randn(2, FUNCTIONS)
    each = torch.stack([planes(torch.eye(FUNCTIONS), cell.expand(FUNCTIONS)) for cell in cells])
    assert torch.allclose(planes(weights, cells), torch.einsum("pf,pfc->pc", weights, each), atol=0.1)
