"""The detector of pieces."""

import torch

from cdd_icm.plan.pieces.detector import PieceDetector
from tests.cdd_icm.plan.pieces.toy import GRID, piece, scene


def test_it_learns_where_a_piece_is_and_how_it_looks():
    """A bright square is a dog of the first size, a dark one of the second."""
    torch.manual_seed(0)
    detector = PieceDetector(16, 3, (2, 2), GRID)
    pictures, scenes = torch.zeros(4, 3, 16, 16), []
    for i, (x, y, depth) in enumerate(((0.1, 0.1, "0"), (0.9, 0.4, "1"), (0.4, 0.9, "0"), (0.6, 0.6, "1"))):
        row, column = int(y * GRID) * 4, int(x * GRID) * 4
        pictures[i, :, row : row + 4, column : column + 4] = 1.0 if depth == "0" else -1.0
        scenes.append(scene(piece("dog", x, y, depth)))
    truth = type(scenes[0]).concatenated(scenes)
    optimizer = torch.optim.Adam(detector.parameters(), lr=3e-3)
    for _ in range(60):
        loss = detector.loss(pictures, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = detector.detect(pictures, expected_objects=0.5)
    assert torch.equal(found.cells, truth.cells)
    assert torch.equal(found.traits, truth.traits)
    assert not found.touched.any()


def test_traits_are_read_in_the_cell_of_each_class():
    torch.manual_seed(0)
    detector = PieceDetector(16, 3, (2, 2), GRID)
    features = torch.randn(1, 128, GRID // 2, GRID // 2)
    cells = torch.tensor([[0, 7, -1]])
    depth, _ = detector.traits(features, cells)
    seen = detector.norm(features[0, :, 0, 1])  # cell 7 is in the second square of the first row
    weights = detector.traits_out.weight.unflatten(0, (3, 4))[1, :2]
    bias = detector.traits_out.bias.unflatten(0, (3, 4))[1, :2]
    assert torch.allclose(depth[0, 1], weights @ seen + bias, atol=1e-5)
