"""Training for retrieval: exact resume, the loss by hand, faults. One file, as its tests share their runs."""

import json
from dataclasses import replace

import pytest
import torch
import yaml
from accelerate import Accelerator
from PIL import Image
from torch.nn.functional import cross_entropy

from cdd_icm.config import from_dict, load_config, to_dict
from cdd_icm.errors import InputError
from cdd_icm.hashing import derive_seed
from cdd_icm.model.prompt import TURN_SEPARATOR
from cdd_icm.train import loop
from cdd_icm.train.checkpoint import checkpoints
from retrieval.cli import main
from retrieval.config import ObjectiveConfig, RetrievalConfig, RetrievalDataConfig
from retrieval.features import BLANK
from retrieval.model import RetrievalModel
from retrieval.systems.registry import SYSTEMS, find
from retrieval.train import trainer as training
from retrieval.train.objective import Objective
from retrieval.train.samples import Samples
from retrieval.train.trainer import read_split, train
from tests.retrieval.conftest import SAMPLE
from tests.runs import distance, identical, log_of, newest, run_two_processes


class Killed(BaseException):
    """Ends a run where it stands, as kill -9 would."""


def killed_at(monkeypatch, sample, time=1):
    """The next run dies in the step that sees `sample`, the first or second time that one does."""

    def dying(seed, samples, rank):
        seen.append(samples)
        if seen.count(sample) == time:
            raise Killed
        return derive_seed(seed, samples, rank)

    seen = []
    monkeypatch.setattr(loop, "derive_seed", dying)


@pytest.mark.slow
def test_a_killed_run_goes_on_exactly(make_config, tmp_path, monkeypatch):
    """The Combiner: both stages, its dropout, and features from the cache."""
    whole, parts = (make_config("combiner", output_dir=str(tmp_path / name)) for name in ("whole", "parts"))
    assert train(whole) == tmp_path / "whole" / "model"
    for time in (1, 2):  # in its first stage, then in its second
        with monkeypatch.context() as patch:
            killed_at(patch, 20, time)
            with pytest.raises(Killed):
                train(parts)
        done = [checkpoints(tmp_path / "parts" / stage / "checkpoints") for stage in ("stage1", ".")]
        assert [[folder.name[-2:] for folder in folders] for folders in done] == (
            [["08", "16"], []] if time == 1 else [["16", "24"], ["08", "16"]]
        )
    train(parts)
    for stage in ("stage1", "."):
        assert identical(newest(tmp_path / "whole" / stage), newest(tmp_path / "parts" / stage))
        assert log_of(tmp_path / "whole" / stage) == log_of(tmp_path / "parts" / stage)
    one, other = (RetrievalModel.from_pretrained(tmp_path / name / "model") for name in ("whole", "parts"))
    assert one.fingerprint == other.fingerprint and one.composer_name == "combiner"
    stage1 = RetrievalModel.from_pretrained(tmp_path / "whole" / "stage1" / "model")
    assert stage1.composer_name == "sum"
    assert identical(stage1.towers.state_dict(), one.towers.state_dict())  # frozen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("composer", "changed"),
    [
        ("fusion", {}),
        ("multi-vector", {"options__composer": "fusion"}),
        ("multi-vector", {"options__composer": "sum"}),
        ("multi-vector", {"options__composer": "text"}),
        ("multi-vector", {"options__composer": "image", "objective__reference_negatives": False}),
        (
            "multi-vector",
            {
                "options": {
                    **{"composer": "patch-projection", "vectors": None},
                    "options": {"composer": "tirg"},
                }
            },
        ),
        ("multi-vector", {"options": {"composer": "matching", "vectors": None}}),
    ],
)
def test_files_of_a_run(make_config, tmp_path, composer, changed):
    config = make_config(composer, **changed)
    model = RetrievalModel.from_pretrained(train(config))
    run = tmp_path / "run"
    assert [line["samples"] for line in log_of(run)] == [8, 16, 24]
    assert {"loss", "found", "learning_rate", "grad_norm"} <= log_of(run)[0].keys()
    ema = {key: value for key, value in newest(run).items() if key.startswith("ema.model.")}
    assert identical(
        {key.removeprefix("ema.model."): value for key, value in ema.items()}, model.state_dict()
    )
    facts = json.loads((run / "model" / "training.json").read_text())
    assert facts["samples"] == 24 and facts["config"]["data"]["path"] == "iclevr_sample"
    assert "output_dir" not in facts["config"] and "cache_dir" not in facts["config"]["data"]
    rows = json.loads((run / "validation" / "000000024.json").read_text())
    assert set(rows) == {"composed", "image only", "text only"} and "turn 5" in rows["composed"]["tags"]
    config = make_config(composer, **changed, init=str(run / "model"), output_dir=str(tmp_path / "on"))
    known = training.build_model(config, training.load_init(config), [], None)
    assert identical(known.state_dict(), model.state_dict())
    assert [name for name, p in known.named_parameters() if not p.requires_grad] == [
        "towers.clip.logit_scale"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("composer", "changed", "stages"),
    [
        ("combiner", {"options__dropout": 0.0}, ("stage1", ".")),
        ("multi-vector", {"options__composer": "fusion", "objective__caption_negatives": True}, (".",)),
    ],
)
def test_two_processes_do_what_one_does_on_the_joined_batch(make_config, tmp_path, composer, changed, stages):
    """Adam would hide a gradient of another length; the norm in the log doesn't."""
    changed |= {"training__total_samples": 12}
    train(make_config(composer, **changed, output_dir=str(tmp_path / "one")))
    two = make_config(composer, **changed, output_dir=str(tmp_path / "two"), training__batch_size=2)
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(to_dict(two)))
    run_two_processes("retrieval.cli", "train", tmp_path / "two.yaml")
    for stage in stages:
        one, two = (tmp_path / name / stage for name in ("one", "two"))
        # a tenth of what one step of the optimiser changes
        assert distance(newest(one), newest(two), "model") < 1e-3 * 0.1
        line, other = log_of(one)[-1], log_of(two)[-1]
        assert line.pop("found") <= other.pop("found")  # among the targets of its own process
        assert line == {key: pytest.approx(value, rel=1e-3) for key, value in other.items()}
        found, shared = (
            json.loads(training.validation_file(run, 12).read_text())["composed"] for run in (one, two)
        )
        assert found.keys() == shared.keys()
        # rounding may move a query or two of the fifteen
        assert all(abs(found[name] - shared[name]) < 15 for name in found if name.startswith("R@"))


@pytest.mark.slow
def test_an_architecture_that_open_clip_knows_by_name(make_config, write, tmp_path):
    """The smallest one, from training to a report."""
    triplet = {"reference": "a.png", "text": "redder", "target": "b.png"}
    path = write("mine.jsonl", [triplet | {"split": split} for split in ("train", "train", "val")])
    for name, shade in (("a", 60), ("b", 90)):
        Image.new("L", (8, 8), shade).save(tmp_path / f"{name}.png")
    data = {"benchmark": "triplets", "path": str(path), "images": str(tmp_path)}
    config = make_config(
        data=data | {"cache_dir": str(tmp_path)},
        encoder={"model": "ViT-S-32-alt", "trainable_blocks": 1},
        training={"batch_size": 2, "total_samples": 4},
    )
    folder, report = train(config), tmp_path / "report.json"
    model = RetrievalModel.from_pretrained(folder)
    assert model.settings["towers"]["model"] == "ViT-S-32-alt"
    assert (model.backbone.image_tokens, model.backbone.max_text_length) == (7 * 7, 77)
    arguments = ["evaluate", "--model", folder, "--benchmark", "triplets", "--data", path, "--split", "val"]
    arguments += ["--images", tmp_path, "--cache-dir", tmp_path, "--report", report, "--device", "cpu"]
    assert main([str(argument) for argument in arguments]) == 0
    rows = json.loads((tmp_path / "run" / "validation" / "000000004.json").read_text())
    assert json.loads(report.read_text())["rows"] == rows


def samples_of(config, model):
    return Samples.make(read_split(config.data, "train"), config, model)


@pytest.mark.parametrize("composer", ["fusion", "matching", "sum"])
def test_the_loss_is_info_nce_with_the_reference_among_the_wrong_answers(make_config, make_model, composer):
    config, model = make_config(composer), make_model(composer)
    samples = samples_of(config, model)
    items = [(index, 2**30) for index in (1, 7, 13, 24)]  # drops nothing
    batch = samples.batch(items)
    with torch.no_grad():
        losses = {
            negatives: Objective(model, ObjectiveConfig(reference_negatives=negatives))(batch)["loss"]
            for negatives in (True, False)
        }
    benchmark = samples.benchmark
    chosen = [benchmark.queries[index] for index, _ in items]

    def stored(ids):
        return torch.stack(
            [torch.from_numpy(samples.pictures[benchmark.pictures[id].key].copy()) for id in ids]
        )

    references, targets = stored([q.reference for q in chosen]), stored([q.targets[0] for q in chosen])
    q = model.encode_query(references, [q.texts[0] for q in chosen], [q.history for q in chosen])
    v, r = model.encode_gallery(targets), model.encode_gallery(references)
    scale, labels = model.composer.logit_scale, torch.arange(4)
    own = scale * (q * r).sum(dim=1, keepdim=True)
    columns = cross_entropy(scale * v @ q.T, labels)
    rows = {
        True: cross_entropy(torch.cat([scale * q @ v.T, own], dim=1), labels),
        False: cross_entropy(scale * q @ v.T, labels),
    }
    for negatives, loss in losses.items():
        torch.testing.assert_close(loss, (rows[negatives] + columns) / 2)


@pytest.mark.slow
@pytest.mark.parametrize("reference_negatives", [True, False])
@pytest.mark.parametrize("composer", ["fusion", "matching", "multi-vector", "sum"])
def test_the_caption_of_the_reference_stands_among_the_wrong_answers(
    make_config, make_model, composer, reference_negatives
):
    """A column of its own in the rows of the queries that have one: not in a first turn's, nor in that of a
    sample whose reference was left out. Of several vectors a picture, the best one scores."""
    objective = {"caption_negatives": True, "reference_negatives": reference_negatives}
    config, model = make_config(composer, objective=objective), make_model(composer)
    samples = samples_of(config, model)
    queries, pictures = samples.benchmark.queries, samples.benchmark.pictures
    items = [(2, 2**30), (0, 2**30), (8, int(0.07 * 2**31)), (14, 2**30)]
    assert all(queries[index].caption == queries[index].history for index, _ in items)
    captions = [TURN_SEPARATOR.join(reversed(queries[index].caption)) for index, _ in items]
    assert captions[1] == ""
    with torch.no_grad():
        loss = Objective(model, config.objective)(samples.batch(items))["loss"]

    def stored(id):
        return torch.from_numpy(samples.pictures[pictures[id].key].copy())[None]

    def asked(index, draw):
        reference = None if draw < 0.1 * 2**31 else stored(queries[index].reference)
        return model.encode_query(reference, queries[index].texts, [queries[index].history])

    q = torch.cat([asked(*item) for item in items])
    v = torch.cat([model.encode_gallery(stored(queries[index].targets[0])) for index, _ in items])
    r = torch.cat([model.encode_gallery(stored(queries[index].reference)) for index, _ in items])
    gray = torch.zeros(1, 3, 32, 32)
    features = model.image_features(gray, model.composer.gallery_inputs)
    r[2] = model.composer.encode_gallery(features)[0]  # left out
    by_hand = 0.0
    for i in range(4):
        row, column = [(some @ q[i]).max() for some in v], [(v[i] @ some).max() for some in q]
        if reference_negatives:
            row.append((r[i] @ q[i]).max())
        if i in (0, 3):
            row.append(q[i] @ model.encode_query(None, [captions[i]])[0])
        for side in (row, column):
            scores = model.composer.logit_scale * torch.stack(side)
            by_hand += (scores.logsumexp(0) - scores[i]) / 8
    torch.testing.assert_close(loss, by_hand)


def test_captions_are_refused_where_there_are_none(make_config, write):
    triplet = {"reference": "a.png", "text": "redder", "target": "b.png", "split": "train"}
    path = write("mine.jsonl", [triplet, triplet | {"caption": "a cube"}])
    for name, shade in (("a", 60), ("b", 90)):
        Image.new("L", (8, 8), shade).save(path.parent / f"{name}.png")
    data = {"data__benchmark": "triplets", "data__path": str(path), "data__images": str(path.parent)}
    config = make_config("sum", **data, data__limit=1, objective__caption_negatives=True)
    with pytest.raises(InputError, match="^objective.caption_negatives is True, but mine has no captions$"):
        train(config)


@pytest.mark.parametrize("composer", sorted(SYSTEMS.keys() - {"image", "text"}))
def test_every_weight_learns(make_config, make_model, composer):
    config, model = make_config(composer), make_model(composer).train()
    model.requires_grad_(True)
    model.towers.clip.logit_scale.requires_grad_(False)
    batch = samples_of(config, model).batch([(index, 2**30) for index in range(0, 32, 2)])
    Objective(model, config.objective)(batch)["loss"].backward()
    idle = [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and not (p.grad is not None and p.grad.any())
    ]
    unused = {
        "patch-projection": ["visual.proj"],  # not pooled there
        "finecir": [
            "text_projection",
            "visual.proj",
            "0.intermediate.",
            "0.output.",
        ],  # its last words are not read
    }.get(composer, [])
    assert not [name for name in idle if not any(part in name for part in unused)]
    assert all(any(part in name for name in idle) for part in unused)


@pytest.mark.slow
@pytest.mark.parametrize("composer", ["fusion", "matching"])
def test_a_loader_process_changes_nothing(make_config, tmp_path, composer):
    """With live towers, and with frozen ones, whose features it reads."""
    init = str(tmp_path / "live0" / "model")
    for name, changed in (("live", {}), ("frozen", {"init": init, "encoder__trainable_blocks": 0})):
        runs = []
        for workers in (0, 1):
            folder = tmp_path / f"{name}{workers}"
            changed |= {"data__num_workers": workers, "objective__caption_negatives": True}
            train(make_config(composer, output_dir=str(folder), training__total_samples=8, **changed))
            runs.append(newest(folder))
        assert identical(*runs)


PLAIN = sorted(SYSTEMS.keys() - {"multi-vector"})
COMPOSING = sorted(name for name in PLAIN if find(name).composes)


@pytest.mark.parametrize(
    ("composer", "inside", "several"),
    [
        *((name, None, None) for name in PLAIN),
        *(("multi-vector", name, None) for name in PLAIN),
        *(("multi-vector", name, 3) for name in COMPOSING),
    ],
)
def test_processes_look_for_weights_without_gradient_where_there_are_some(
    make_config, composer, inside, several
):
    negatives = "image" not in (composer, inside)
    changed = {
        "objective__reference_negatives": negatives,
        **({"options": {"composer": inside, "vectors": several}} if inside else {}),
    }
    recipe = training.RetrievalRecipe(make_config(composer, **changed))
    objective = recipe.build(Accelerator(cpu=True)).train()
    objective(next(recipe.batches(4, 0, 0, 1)))["loss"].backward()
    idle = [name for name, p in objective.named_parameters() if p.requires_grad and p.grad is None]
    assert recipe.has_unused_parameters == bool(idle), idle


@pytest.mark.slow
@pytest.mark.parametrize("composer", ["combiner", "fusion", "matching", "multi-vector"])
def test_cached_features_give_the_loss_that_the_towers_give(make_config, make_model, composer, tmp_path):
    model = make_model(composer)
    config = make_config(composer, objective__caption_negatives=True)
    live = samples_of(config, model)
    frozen = replace(config.encoder, trainable_blocks=0)
    cached = samples_of(replace(config, init="any", encoder=frozen), model)
    items = [(3, 2**30), (9, 0), (14, int(0.07 * 2**31)), (21, 2**31 - 1)]
    assert live.features is None and cached.features is not None
    assert cached.batch(items).reference.pooled is not None
    objective = Objective(model, live.config.objective)
    with torch.no_grad():
        losses = [objective(samples.batch(items))["loss"] for samples in (live, cached)]
    torch.testing.assert_close(*losses)


def test_a_sample_is_a_function_of_its_draw(make_config, make_model):
    config = make_config("sum", objective={"drop_text": 0.2, "drop_reference": 0.3}, encoder__history=1)
    samples = samples_of(config, make_model("sum"))
    query = samples.benchmark.queries[2]
    keys = [samples.benchmark.pictures[id].key for id in (query.reference, query.targets[0])]
    text = f"{query.texts[0]}{TURN_SEPARATOR}{query.history[-1]}"
    whole, textless, blank = (keys[0], text), (keys[0], ""), (BLANK, text)
    expected = {0.0: textless, 0.19: textless, 0.21: blank, 0.49: blank, 0.51: whole, 0.99: whole}
    for share, (reference, said) in expected.items():
        caption = "" if reference == BLANK else TURN_SEPARATOR.join(reversed(query.caption))
        assert samples[2, int(share * 2**31)] == (query.id, reference, said, keys[1], caption)
    assert samples[0, 2**31 - 1].caption == ""  # the empty canvas


def test_a_loss_that_is_not_finite_stops_the_run(make_config, monkeypatch):
    def not_finite(queries, *_, **__):
        return queries.sum() * torch.nan

    monkeypatch.setattr("retrieval.systems.losses.info_nce", not_finite)
    says = r"the loss is nan at sample 0 \(.+, .+\); the checkpoints in .* are kept"
    with pytest.raises(FloatingPointError, match=says):
        train(make_config("sum"))


def test_another_config_is_refused_by_the_key_that_differs(make_config):
    train(make_config("sum", training__total_samples=8))
    train(make_config("sum", training__total_samples=12))  # may change
    with pytest.raises(InputError, match=r"config\.yaml: the run there began with another composer;"):
        train(make_config("tirg"))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"composer": "sun"},
            "composer is 'sun', expected one of combiner, finecir, fusion, image, matching, ",
        ),
        ({"composer": "sun"}, "; the nearest is sum"),
        (
            {"composer": "combiner", "options": {"dropot": 0.1}},
            "unknown key options.dropot; the nearest is options.dropout",
        ),
        (
            {"composer": "combiner", "options": {"dropout": 1.5}},
            "options.dropout is 1.5, expected less than 1",
        ),
        ({"composer": "sum", "options": {"dropout": 0.1}}, "options is {'dropout': 0.1}, expected none"),
        ({"fusio": {}}, "unknown key fusio; the nearest is fusion"),
        ({"training": {"gradient_accumulation": 2}}, "unknown key training.gradient_accumulation"),
        ({"fusion": {"width": 32, "heads": 3}}, "fusion.heads is 3, expected a divisor of fusion.width"),
        (
            {"composer": "matching", "data": {"image_size": 40}},
            "data.image_size is 40, expected a multiple of 16",
        ),
        ({"objective": {"drop_text": 2}}, "objective.drop_text is 2, expected at most 1"),
        ({"composer": "image"}, "objective.reference_negatives is True, expected false with composer=image"),
        (
            {"composer": "multi-vector", "options": {"composer": "image"}},
            "objective.reference_negatives is True, expected false with options.composer=image",
        ),
        (
            {"composer": "multi-vector", "options": {"options": {"composer": "tirg"}}},
            "options.options is {'composer': 'tirg'}, expected none for Fusion",
        ),
        (
            {"composer": "multi-vector", "options": {"composer": "multi-vector"}},
            "options.composer is 'multi-vector', expected one of "
            "combiner, finecir, fusion, image, matching, patch-projection, sum, text, tirg",
        ),
        (
            {"composer": "multi-vector", "options": {"composer": "matching"}},
            "options.composer is 'matching', expected one of combiner, fusion, image, sum, text, tirg with "
            "options.vectors=8",
        ),
        (
            {"composer": "patch-projection", "options": {"composer": "fusion"}},
            "options.composer is 'fusion', expected one of combiner, image, sum, text, tirg",
        ),
        (
            {"composer": "image", "objective": {"reference_negatives": False, "caption_negatives": True}},
            "objective.caption_negatives is True, expected false with composer=image",
        ),
        ({"encoder": {"trainable_blocks": 0}}, "encoder.trainable_blocks is 0, expected some, or init"),
    ],
)
def test_bad_configs_get_one_line(changed, says):
    with pytest.raises(InputError) as error:
        from_dict(RetrievalConfig, changed, "mine.yaml")
    assert str(error.value).startswith("mine.yaml: ") and says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_init_that_does_not_fit_is_refused(make_config, make_model, tmp_path):
    make_model("sum").save_pretrained(tmp_path / "known")
    make_model("matching").save_pretrained(tmp_path / "drawn")
    for changed, says in (
        ({"data__image_size": 48}, "data.image_size is 48, but that of init"),
        ({"encoder__history": 0}, "encoder.history is 0, but that of init"),
        ({"init": str(tmp_path / "none")}, "none: no such folder"),
        (
            {"composer": "fusion", "init": str(tmp_path / "drawn"), "fusion__layers": 2},
            "fusion is {.*'layers': 2.*, but that of init, .*'layers': 1",
        ),
        ({"data__path": str(tmp_path)}, "no data of a known kind is here"),
        ({"data__benchmark": "dialog"}, "unknown benchmark 'dialog': did you mean 'dialogs'"),
        ({"data__train_split": "holdout"}, "no dialogs of split 'holdout'"),
    ):
        with pytest.raises(InputError, match=says):
            train(make_config(**{"composer": "sum", "init": str(tmp_path / "known"), **changed}))
        assert not (tmp_path / "run").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/run: can't be written"):
        train(make_config("sum", output_dir=str(tmp_path / "file" / "run")))


def test_annotations_without_splits_are_read_without_one(write, tmp_path):
    path = write("mine.jsonl", '{"reference": "1", "text": "redder", "target": "2"}')
    for name in ("1", "2"):
        Image.new("RGB", (4, 4), (90 * int(name), 0, 0)).save(tmp_path / f"{name}.png")
    data = RetrievalDataConfig("triplets", str(path), images=str(tmp_path), train_split=None)
    assert len(read_split(data, data.train_split).queries) == 1
    with pytest.raises(InputError, match="entry 1: split: missing"):
        read_split(data, data.validation_split)
    with pytest.raises(InputError, match="options.split is 'val'; give train_split and validation_split"):
        replace(data, options={"split": "val"})


@pytest.mark.parametrize("name", ["iclevr.yaml", "codraw.yaml"])
@pytest.mark.parametrize("composer", SYSTEMS)
def test_the_configs_that_ship_hold_for_every_composer(name, composer):
    overrides = [f"composer={composer}", f"objective.reference_negatives={str(composer != 'image').lower()}"]
    config = load_config(SAMPLE.parents[1] / "configs" / "retrieve" / name, overrides, RetrievalConfig)
    assert yaml.safe_load(yaml.safe_dump(config.composer)) == composer


@pytest.mark.parametrize(
    ("composer", "place"), [("fusion", "composer.fusion"), ("multi-vector", "composer.composer.fusion")]
)
def test_retrieval_starts_from_a_generators_fusion(make_config, make_model, tmp_path, composer, place):
    """What was trained with the generator begins a retrieval model: towers and fusion, not the matcher."""
    drawn = make_model("matching", seed=5)
    drawn.save_pretrained(tmp_path / "drawn")
    config = make_config(composer, init=str(tmp_path / "drawn"))
    model = training.build_model(config, training.load_init(config), [], None)
    for own, its in (("towers", "towers"), (place, "composer.fusion")):
        assert identical(model.get_submodule(own).state_dict(), drawn.get_submodule(its).state_dict())
