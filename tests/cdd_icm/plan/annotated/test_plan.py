"""Plans: from objects to cells and back, the likelihood that teaches them, and the drawing of one."""

import math
from dataclasses import replace

import pytest
import torch

from cdd_icm.data import SceneObject, load_dialogs
from cdd_icm.errors import InputError
from cdd_icm.model.fusion import Fused
from cdd_icm.plan.annotated.decoding import sample_plan
from cdd_icm.plan.annotated.logits import PlanLogits
from cdd_icm.plan.annotated.losses import plan_loss
from cdd_icm.plan.annotated.network import PlanNetwork
from cdd_icm.plan.annotated.plan import draws_several
from cdd_icm.plan.annotated.relations import Relations, relation_loss
from cdd_icm.plan.shared.detector import cell_loss
from cdd_icm.plan.shared.object_tensors import drawn_objects, middle_place, to_cells, to_trait_values
from cdd_icm.plan.shared.places import median_score
from cdd_icm.plan.shared.template_ids import TemplateTable
from cdd_icm.plan.shared.tuning import Tuning
from cdd_icm.plan.shared.word_context import WordContext
from tests.cdd_icm.conftest import SAMPLE

CLASSES = ("ball", "cube", "tree")
TRAITS = {"face": ("glad", "sad"), "size": ("big", "middling", "small")}
BALL, CUBE = SceneObject("ball", 0.1, 0.9), SceneObject("cube", 0.5, 0.25)


def make_network(trait_sizes=(), query_layers=0, context_layers=0):
    sizes = {"width": 8, "text_width": 6, "heads": 2, "grid": 8, "cell_width": 64, "image_size": 0}
    layers = {"query_layers": query_layers, "context_layers": context_layers}
    return PlanNetwork(len(CLASSES), trait_sizes, **sizes, **layers, kernels=0, horizon=None, tuning=Tuning())


def test_a_plan_names_the_cell_of_each_class_and_minus_one_for_the_others():
    assert to_cells([BALL, CUBE], CLASSES, grid=4).tolist() == [12, 6, -1]


def test_what_is_outside_the_picture_counts_in_the_nearest_cell():
    assert to_cells([SceneObject("tree", 1.2, -0.3)], CLASSES, grid=4).tolist() == [-1, -1, 3]


def test_an_unknown_class_is_named():
    with pytest.raises(InputError, match="'moon' is not one of the 3 classes"):
        to_cells([SceneObject("moon", 0, 0)], CLASSES, grid=4)


def test_new_and_moved_objects_are_drawn_and_others_are_not():
    moved = SceneObject("ball", 0.3, 0.9)
    nearly = SceneObject("cube", 0.51, 0.25)
    tree = SceneObject("tree", 0.5, 0.5)
    assert drawn_objects([BALL, CUBE], [moved, nearly, tree], 0.02) == (moved, tree)


def test_an_object_that_looks_otherwise_is_drawn():
    glad, sad = (replace(BALL, look={"face": face}) for face in ("glad", "sad"))
    assert drawn_objects([glad, CUBE], [sad, CUBE], 0.02) == (sad,)


def test_looks_are_counted_trait_by_trait_and_an_unknown_one_is_named():
    ball, tree = replace(BALL, look={"size": "small", "face": "glad"}), SceneObject("tree", 0, 0)
    tree = replace(tree, look={"size": "big"})
    assert to_trait_values([ball, tree], CLASSES, TRAITS).tolist() == [[0, 2], [-1, -1], [-1, 0]]
    with pytest.raises(InputError, match="look: size: 'huge' is not one of big, middling, small"):
        to_trait_values([replace(BALL, look={"size": "huge"})], CLASSES, TRAITS)


def test_the_ids_tell_each_place_and_its_templates():
    look = torch.tensor([[[0, 2], [1, -1], [1, 0]]])  # a glad small ball, a sad cube; the tree is not drawn
    table = TemplateTable(CLASSES, TRAITS, {})
    assert (table.forms, table.count) == (3, 3 + 2 + 3)
    ids = table.ids(torch.tensor([[12, 6, -1]]), look)
    assert ids[0, :2].tolist() == [[12, 0, 3, 7], [6, 1, 4, -1]]
    assert ids[0, 2, 0] == -1
    plain = TemplateTable(CLASSES, {}, {}).ids(torch.tensor([[12, 6, -1]]), None)
    assert plain.tolist() == [[[12, 0], [6, 1], [-1, 2]]]


def test_each_class_has_a_template_in_each_combination_of_its_forms():
    forms = {"ball": ("face", "size"), "tree": ("size",)}
    table = TemplateTable(CLASSES, TRAITS, forms)
    assert table.forms == table.count == 2 * 3 + 1 + 3
    look = torch.tensor([[[1, 2], [1, 2], [-1, 1]], [[0, -1], [-1, -1], [-1, -1]]])
    ids = table.ids(torch.tensor([[12, 6, 3]]).expand(2, -1), look)
    assert ids[0].tolist() == [[12, 3 + 2], [6, 6], [3, 7 + 1]]
    assert ids[1].tolist() == [[12, -1], [6, 6], [3, -1]]  # nobody told their sizes
    every = {
        table.ids(torch.zeros(1, 3, dtype=torch.long), torch.tensor([[[f, s]] * 3]))[0, c, 1].item()
        for c in range(3)
        for f in range(2)
        for s in range(3)
    }
    assert every == set(range(table.forms))


@pytest.mark.parametrize("fine", [1, 2, 4])
def test_a_planned_object_is_in_the_middle_of_its_cell(fine):
    plan = torch.tensor([[12, 6, -1]])
    place = middle_place(plan, 4, fine)
    y, x = place // (4 * fine), place % (4 * fine)
    assert place[0, 2] == -1
    assert torch.equal(y[:, :2] // fine * 4 + x[:, :2] // fine, plan[:, :2])
    assert (y[:, :2] % fine == fine // 2).all() and (x[:, :2] % fine == fine // 2).all()


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
    existing = torch.tensor([[12, 6, -1], [-1, -1, -1]])
    valid = torch.tensor([True, False])
    assert torch.allclose(cell_loss(logits, existing, valid), torch.tensor(2.0).log() * 3 * 16 / 2)


def test_the_likelihood_of_a_look_counts_where_it_is_drawn_and_told():
    presence, cell, looks = (
        torch.randn(2, 3),
        torch.randn(2, 3, 16),
        (torch.randn(2, 3, 2), torch.randn(2, 3, 3)),
    )
    plan, everything = torch.tensor([[12, -1, -1], [0, 3, -1]]), torch.ones(2, dtype=torch.bool)
    look = torch.full((2, 3, 2), -1)
    look[0, 0] = torch.tensor([1, 2])
    look[1, 1, 1] = 0  # its face is not told
    look[1, 2] = 1  # and this one is not drawn
    without = plan_loss(PlanLogits(presence, cell), plan, everything)
    face, size = (values.log_softmax(dim=-1) for values in looks)
    expected = without - (face[0, 0, 1] + size[0, 0, 2] + size[1, 1, 0]) / 2
    assert torch.allclose(plan_loss(PlanLogits(presence, cell, looks), plan, everything, look), expected)


def test_looks_are_drawn_from_their_distribution_each_with_noise_of_its_own():
    n, probabilities = 20_000, torch.tensor([0.2, 0.8])
    cell, presence = torch.zeros(n, 1, 4), torch.full((n, 1), 5.0)
    logits = PlanLogits(presence, cell, (probabilities.log().expand(n, 1, 2), torch.zeros(n, 1, 3)))
    gumbel = -torch.empty(n, 1, 4 + 2 + 3).exponential_(generator=torch.Generator().manual_seed(0)).log()
    _, look = sample_plan(logits, gumbel, 1.0, Tuning())
    assert look.shape == (n, 1, 2)
    assert torch.allclose(look[:, 0, 0].bincount() / n, probabilities, atol=0.015)
    assert torch.allclose(look[:, 0, 1].bincount() / n, torch.full((3,), 1 / 3), atol=0.015)
    assert (sample_plan(logits, gumbel, 0.0, Tuning())[1][..., 0] == 1).all()


def median_cell(logits, existing=None):
    return median_score(logits, Tuning(), existing).argmax(dim=-1)


def test_the_median_cell_is_on_the_probable_side_of_everything():
    logits = 0.2 * torch.randn(20, 3, 64, generator=torch.Generator().manual_seed(0))
    median = median_cell(logits)
    assert not torch.equal(median, logits.argmax(dim=-1))
    cells = logits.softmax(dim=-1).unflatten(-1, (8, 8))
    for at, shares in ((median % 8, cells.sum(dim=-2)), (median // 8, cells.sum(dim=-1))):
        for other in range(8):
            before, after = shares[..., :other].sum(dim=-1), shares[..., other + 1 :].sum(dim=-1)
            assert ((at < other) <= (before > 0.49999)).all() and ((at > other) <= (after > 0.49999)).all()
    plan = PlanLogits(torch.tensor([[5.0, -5.0, -5.0]]).repeat(20, 1), logits)
    gumbel = -torch.empty(20, 3, 64).exponential_(generator=torch.Generator().manual_seed(1)).log()
    assert torch.equal(sample_plan(plan, gumbel, 0.0, Tuning(), "median")[0][:, 0], median[:, 0])
    assert torch.equal(
        sample_plan(plan, gumbel, 1.0, Tuning(), "median")[0], sample_plan(plan, gumbel, 1.0, Tuning())[0]
    )
    certain = torch.full((1, 1, 64), -9.0).index_fill(2, torch.tensor([63]), 9.0)
    assert median_cell(certain).item() == 63


def test_the_median_cell_is_a_likely_one():
    two_places = torch.full((1, 1, 64), 1e-6)
    two_places[..., [24, 30]] = 0.49
    two_places[..., 27] = 0.02  # the median, but unlikely
    assert median_cell(two_places.log()).item() in (24, 30)


def test_the_median_cell_keeps_clear_of_existing_objects_but_not_of_itself():
    even = torch.zeros(1, 2, 33 * 33)
    middle = median_cell(even)
    at = middle[0, 0].item()
    nothing, other, itself, far = (torch.tensor([place]) for place in ([-1, -1], [-1, at], [at, -1], [-1, 0]))
    cell = {
        name: median_cell(even, existing)[0, 0].item()
        for name, existing in dict(nothing=nothing, other=other, itself=itself, far=far).items()
    }
    assert cell["nothing"] == cell["itself"] == cell["far"] == at
    apart = [abs(cell["other"] // 33 - at // 33), abs(cell["other"] % 33 - at % 33)]
    assert 3 < max(apart) < 12
    # ... where there is room: a certain place stays
    certain = torch.full((1, 2, 33 * 33), -9.0).index_fill(2, middle[0, :1], 9.0)
    assert median_cell(certain, other)[0, 0] == at


def test_without_temperature_the_likeliest_cell_is_taken_and_with_it_the_distribution():
    probabilities = torch.tensor([0.1, 0.2, 0.7])
    n = 20_000
    logits = PlanLogits(torch.tensor([[2.0, -2.0]]).repeat(n, 1), probabilities.log().expand(n, 2, 3))
    generator = torch.Generator().manual_seed(0)
    gumbel = -torch.empty(n, 2, 3).exponential_(generator=generator).log()
    assert sample_plan(logits, gumbel, 0.0, Tuning())[0].unique(dim=0).tolist() == [[2, -1]]
    shares = sample_plan(logits, gumbel, 1.0, Tuning())[0][:, 0].bincount() / n
    assert torch.allclose(shares, probabilities, atol=0.01)
    sharpened = probabilities**2 / (probabilities**2).sum()
    shares = sample_plan(logits, gumbel, 0.5, Tuning())[0][:, 0].bincount() / n
    assert torch.allclose(shares, sharpened, atol=0.01)


def test_the_relation_loss_asks_on_which_side_of_each_existing_object_the_new_one_goes():
    grid, everything = 4, torch.ones(1, dtype=torch.bool)
    existing, plan = (
        torch.tensor([[5, 9, -1]]),
        torch.tensor([[-1, -1, 2]]),
    )  # at (1, 1), (1, 2); new at (2, 0)
    right = torch.zeros(1, 3, 3, 2)
    right[0, :2, 2, 0], right[0, :2, 2, 1] = 50.0, -50.0  # right of both, behind both
    assert relation_loss(right, existing, plan, grid, everything) < 1e-6
    wrong = relation_loss(-right, existing, plan, grid, everything)
    assert torch.allclose(wrong, torch.tensor(200.0))
    guess = relation_loss(torch.zeros_like(right), existing, plan, grid, everything)
    assert torch.allclose(guess, 4 * torch.tensor(2.0).log())
    in_column = torch.tensor([[-1, -1, 1]])  # the same column as both: only the rows count
    guess = relation_loss(torch.zeros_like(right), existing, in_column, grid, everything)
    assert torch.allclose(guess, 2 * torch.tensor(2.0).log())
    assert relation_loss(-right, existing, plan, grid, ~everything) == 0


def test_relations_are_read_where_the_existing_object_is():
    torch.manual_seed(0)
    relations = Relations(3, width=8, grid=8)
    tokens = torch.randn(1, 16, 8, requires_grad=True)
    logits = relations(tokens, torch.tensor([[-1, 5 * 8 + 2, -1]]))
    assert logits.shape == (1, 3, 3, 2)
    logits[0, 1].sum().backward()
    assert tokens.grad[0].any(dim=1).nonzero().flatten().tolist() == [2 * 4 + 1]


def test_the_classes_that_are_present_are_drawn():
    cell, none = torch.zeros(1, 4, 9), torch.zeros(1, 4, 9)

    def drawn(*probabilities):
        presence = torch.tensor([probabilities]).logit()
        return (sample_plan(PlanLogits(presence, cell), none, 0.0, Tuning())[0] >= 0)[0].tolist()

    assert drawn(0.05, 0.45, 0.3, 0.2) == [False, True, False, False]
    assert drawn(0.9, 0.01, 0.8, 0.1) == [True, False, True, False]
    assert drawn(0.3, 0.3, 0.3, 0.3) == [False] * 4


@pytest.mark.parametrize("place", ["likeliest", "median"])
def test_what_one_turn_draws_does_not_lie_in_one_place(place):
    grid, at = 32, 16 * 32 + 16
    y, x = (part.float() for part in (torch.arange(grid**2) // grid, torch.arange(grid**2) % grid))
    around = -((x - 16) ** 2 + (y - 16) ** 2) / 200  # each class as likely there as the other, wide
    presence = torch.tensor([[1.0, 3.0, -3.0], [3.0, -3.0, 1.0], [-3.0, -3.0, 3.0]])
    logits = PlanLogits(presence, around.expand(3, 3, -1))
    cells, _ = sample_plan(logits, torch.zeros(3, 3, grid**2), 0.0, Tuning(), place)
    assert cells[0, 1] == cells[1, 0] == cells[2, 2] == at  # the surest class has its own place
    assert cells[0, 0] == cells[1, 2] and (cells[presence < 0] == -1).all()
    apart = math.dist(divmod(cells[0, 0].item(), grid), divmod(at, grid)) / grid
    assert 0.08 < apart < 0.3
    certain = torch.full_like(around, -9.0).index_fill(0, torch.tensor(at), 9.0)
    cells, _ = sample_plan(
        PlanLogits(presence, certain.expand(3, 3, -1)), torch.zeros(3, 3, grid**2), 0.0, Tuning()
    )
    assert cells.tolist() == [[at, at, -1], [at, -1, at], [-1, -1, at]]  # ... where there is another


def test_a_cell_looks_at_the_whole_picture_and_a_class_has_its_own_places():
    torch.manual_seed(0)
    planner = make_network()
    tokens = torch.randn(1, 16, 8, requires_grad=True)
    mask = torch.ones(1, 5, dtype=torch.bool)
    fused = Fused(
        tokens, torch.randn(1, 5, 8), mask, torch.randn(1, 8), torch.randn(1, 6), torch.randn(1, 5, 8)
    )
    logits = planner(fused)
    assert logits.presence.shape == (1, 3) and logits.cell.shape == (1, 3, 64)
    assert not torch.allclose(logits.cell[0, 0], logits.cell[0, 1])
    logits.cell[0, 1, 5 * 8 + 2].backward()
    assert tokens.grad[0].any(dim=1).all()


def test_a_look_and_a_place_are_told_by_the_words_that_are_there():
    torch.manual_seed(0)
    planner = make_network((2, 3), query_layers=2)
    words = torch.randn(1, 5, 8, requires_grad=True)
    mask = torch.tensor([[True, True, True, False, False]])
    tokens, fused_words = torch.randn(1, 16, 8), torch.randn(1, 5, 8)
    fused = Fused(tokens, fused_words, mask, torch.randn(1, 8), torch.randn(1, 6), words)
    face, size = planner(fused).traits
    assert face.shape == (1, 3, 2) and size.shape == (1, 3, 3)
    assert not torch.allclose(face[0, 0], face[0, 1])  # each class has looks of its own
    size[0, 1, 2].backward()
    assert words.grad[0].any(dim=1).tolist() == mask[0].tolist()
    words.grad = None
    planner(fused).cell[0, 1, 3].backward()
    assert words.grad[0].any(dim=1).tolist() == mask[0].tolist()
    assert make_network()(fused).traits == ()


def test_word_context_at_first_changes_nothing():
    words, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    assert torch.equal(WordContext(8, heads=2)(words, mask), words)


def test_word_context_knows_how_far_apart_words_are_but_not_where():
    torch.manual_seed(0)
    context = WordContext(8, heads=2)
    for last in (context.attention.out, context.mlp[-1]):
        torch.nn.init.normal_(last.weight)
    said = torch.randn(1, 4, 8)
    early, late = torch.zeros(1, 9, 8), torch.zeros(1, 9, 8)
    early[:, 1:5], late[:, 4:8] = said, said
    heard = context(early, (early != 0).any(dim=2))[:, 1:5]
    assert torch.allclose(heard, context(late, (late != 0).any(dim=2))[:, 4:8], atol=1e-6)
    swapped = said[:, [1, 0, 2, 3]]
    assert not torch.allclose(heard[:, 3], context(swapped, torch.ones(1, 4, dtype=torch.bool))[:, 3])


def test_words_get_their_context_before_the_queries_attend_to_them():
    torch.manual_seed(0)
    planner = make_network(query_layers=1, context_layers=1)
    words, mask = torch.randn(1, 5, 8), torch.ones(1, 5, dtype=torch.bool)
    fused = Fused(
        torch.randn(1, 16, 8), torch.randn(1, 5, 8), mask, torch.randn(1, 8), torch.randn(1, 6), words
    )
    before = planner(fused).presence
    torch.nn.init.normal_(planner.word_context[0].mlp[-1].weight)
    assert not torch.allclose(planner(fused).presence, before)


def test_some_turn_draws_several_objects_or_none_does():
    dialogs = load_dialogs(SAMPLE, "train")[:2]  # of i-CLEVR: one object a turn
    assert not draws_several(dialogs)
    first = dialogs[0]
    assert draws_several([dialogs[1], replace(first, turns=first.turns[1:])])  # begins with two
