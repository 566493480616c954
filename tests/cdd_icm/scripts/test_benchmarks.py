"""The benchmarks run at toy size, and their reports become pages. What they measure is not judged here."""

import json
import sys

import bench_retrieval
import bench_sampling
import bench_train
import bench_waiting
import pytest
import yaml
from bench_sampling import settings
from benchmark import interleaved, ratio
from performance_page import performance_page

from cdd_icm import CDDICMPipeline


def test_times_are_taken_in_turn_and_the_first_round_is_not_counted():
    order = []

    def work(name, taken):
        def run():
            order.append(name)
            return taken + len(order)

        return run

    times = interleaved({"a": work("a", 10), "b": work("b", 20)}, repeats=2)
    assert order == ["a", "b"] * 3
    assert times == {"a": [13, 15], "b": [24, 26]}
    assert ratio(times, "b", "a") == round((24 / 13 + 26 / 15) / 2, 3)


def finished(file):
    """The report as if it were of a whole run."""
    report = json.loads(file.read_text())
    assert report["quick"] is True
    file.write_text(json.dumps({**report, "quick": False}))
    return report


@pytest.mark.slow
def test_a_step(settings_in, tmp_path, capsys):
    config = tmp_path / "config.yaml"
    plan = {"kind": "annotated", "grid": 4}
    config.write_text(yaml.safe_dump({**settings_in(tmp_path / "run"), "plan": plan}))
    command = [str(config), "objective.cdd_every=2", "--quick", "--threads", "1"]
    assert bench_train.main([*command, "--report", str(tmp_path / "bench_train.json")]) == 0
    report = finished(tmp_path / "bench_train.json")
    works = set(report["seconds_a_step"])
    assert works == {"trainer", "bare loop", "bare loop, all of the batch denoised", "loader"} | {
        *("InstructPix2Pix step", "InstructPix2Pix step, attention by matmul", "loader and tensors"),
        "bare loop, the UNet alone trained",
    }
    assert report["parameters"]["unet"] == report["parameters"]["InstructPix2Pix unet"]
    assert set(report["profile"]["phases"]) == {"forward", "backward", "optimiser"}
    page = performance_page(tmp_path)
    assert f"| trainer / bare loop | {report['ratios']['trainer / bare loop']:.3f} |" in page
    assert str(tmp_path) not in page
    assert bench_train.main([str(config), "training.batchsize=3"]) == 2
    assert "nearest is training.batch_size" in capsys.readouterr().err


def test_settings_change_one_thing(tiny_pipeline):
    found = {each.name: each for each in settings(tiny_pipeline, ["DDIMScheduler"], [2, 5], 100)}
    own = found["default"]
    assert own.scheduler == "DPMSolverMultistepScheduler" and own.sampling["num_inference_steps"] == 2
    assert found["100 steps"].sampling == {**own.sampling, "num_inference_steps": 100}
    assert found["with ICM guidance"].sampling == {**own.sampling, "icm_guidance_scale": 1.0}
    assert found["4 candidates"].sampling == {**own.sampling, "num_candidates": 4}
    assert found["preset fast"].scheduler == found["DDIMScheduler, 5"].scheduler == "DDIMScheduler"
    assert found["preset fast"].sampling["num_inference_steps"] == 1
    assert found["DDIMScheduler, 5"].sampling == {**own.sampling, "num_inference_steps": 5}
    assert len(found) == 7


@pytest.mark.slow
def test_a_turn(tiny_folder, settings_in, tmp_path, monkeypatch):
    report, data = tmp_path / "bench_sampling.json", settings_in(tmp_path)["data"]["path"]
    command = ["--model", str(tiny_folder), "--data", data, "--split", "test", "--quick", "--threads", "1"]
    command += ["--schedulers", "DDIMScheduler", "PNDMScheduler"]
    command += ["--report", str(report), "--unfinished", str(tmp_path / "unfinished")]
    score, scored = bench_sampling.score, []

    def stop_at_the_third(pipeline, dialogs, detector, row, seed):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(row["name"])
        return score(pipeline, dialogs, detector, row, seed)

    with monkeypatch.context() as patch:
        patch.setattr(bench_sampling, "score", stop_at_the_third)
        assert bench_sampling.main(command) == 130
    assert not report.exists()

    def the_rest(pipeline, dialogs, detector, row, seed):
        scored.append(row["name"])
        return score(pipeline, dialogs, detector, row, seed)

    monkeypatch.setattr(bench_sampling, "score", the_rest)
    assert bench_sampling.main(command) == 0
    rows = {row["name"]: row for row in finished(report)["rows"]}
    assert len(scored) == len(set(scored))  # what was scored before the stop is not scored again
    assert "PNDMScheduler does not support 1" in rows["PNDMScheduler, 1"]["fault"]  # it needs four
    assert rows["default"]["calls"] == 2 and rows["4 steps"]["calls"] == 4
    page = performance_page(tmp_path)
    row = rows["DDIMScheduler, 2"]
    f1, rsim = (row["figures"][name]["value"] for name in ("f1", "rsim"))
    cell = f"{f1:.2f} / {rsim:.2f} / {row['seconds']:.3f}"
    assert cell in page
    assert rows["4 steps"]["difference"]["f1"] == {"value": 0, "low": 0, "high": 0}
    assert "ICM guidance takes " in page
    assert "| PNDM |  |  |" in page and "| preset fast | DDIM, 1 |" in page
    assert type(CDDICMPipeline.from_pretrained(tiny_folder).scheduler).__name__ != "DDIMScheduler"


@pytest.mark.parametrize(
    ("script", "option", "message"),
    [
        (bench_train, ["--threads", "0"], "argument --threads: 0 is not at least 1"),
        (bench_sampling, ["--dialogs", "x"], "argument --dialogs: 'x' is not a whole number"),
        (bench_sampling, ["--repeats", "-1"], "argument --repeats: -1 is not at least 1"),
    ],
)
def test_counts_are_over_0(script, option, message, capsys):
    with pytest.raises(SystemExit) as exit:
        script.main([*(["--model", "m", "--data", "d"] if script is bench_sampling else ["c"]), *option])
    assert exit.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize("script", [bench_sampling, bench_train])
def test_bad_input_is_one_line(script, tiny_folder, tmp_path, capsys):
    nowhere = str(tmp_path / "nowhere")
    arguments = ["--model", str(tiny_folder), "--data", nowhere] if script is bench_sampling else [nowhere]
    assert script.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{script.__name__}: {nowhere}: ") and error.count("\n") == 1


def test_retrieval(tmp_path, monkeypatch):
    report = tmp_path / "bench_retrieval.json"
    command = ["bench_retrieval.py", "--report", str(report), "--device", "cpu", "--queries", "20"]
    command += ["--vectors", "50", "--width", "8", "--searches", "2", "--repeats", "1"]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(bench_retrieval, "bench_memory", lambda *sizes: {"ours": 285e6, "bare": 4e9})
    bench_retrieval.main()
    said = "takes 285 MB beside the vectors, on a CPU; all scores at once would take 4,000 MB."
    assert said in performance_page(tmp_path)
    without = {key: value for key, value in json.loads(report.read_text()).items() if key != "memory"}
    report.write_text(json.dumps(without))
    page = performance_page(tmp_path)
    assert "20 queries against 50 vectors" in page and "MB" not in page


@pytest.mark.slow
def test_exact_evaluation_holds_a_part_of_the_scores_alone():
    memory = bench_retrieval.bench_memory(4000, 50_000, 8)
    assert bench_retrieval.SCORE_BYTES < memory["ours"] < 3 * bench_retrieval.SCORE_BYTES
    assert memory["bare"] == 4 * 4000 * 50_000


@pytest.mark.slow
def test_ways_of_waiting(tiny_folder, tmp_path, monkeypatch, capsys):
    own = {bench_waiting.OWN: {}}
    monkeypatch.setattr(bench_waiting, "WAYS", own)
    report = tmp_path / "w.json"
    command = ["--model", str(tiny_folder), "--rounds", "1", "--report", str(report)]
    assert bench_waiting.main(command) == 0
    written, said = json.loads(report.read_text()), capsys.readouterr().out
    for load in ("quiet", "busy"):
        assert f"{load}: OpenMP's own 1.000, commands " in said
        assert written[load]["ratios"].keys() == own.keys() | {bench_waiting.COMMANDS}
        assert all(len(seconds) == 1 for seconds in written[load]["seconds"].values())


@pytest.mark.slow
def test_a_server(tiny_folder, tmp_path, capsys):
    pytest.importorskip("fastapi", reason="the extra `studio` is not installed")
    import bench_server

    assert "## Server" not in performance_page(tmp_path)
    file = tmp_path / "bench_server.json"
    command = ["--models", str(tiny_folder), "--device", "cpu", "--quick", "--threads", "1"]
    assert bench_server.main([*command, "--report", str(file)]) == 0
    report = finished(file)
    assert [(row["model"], row["preset"], row["turns"]) for row in report["rows"]] == [
        *(("model", None, 4), ("model", "fast", 4)),
    ]
    for row in report["rows"]:
        assert 1 <= row["batch"] <= 2 and row["ratio"] > 0
        assert 0 < row["server"]["p50"] <= row["server"]["p95"]
        assert len(row["loop"]["seconds_all"]) == 1
    assert "model fast: ratio " in capsys.readouterr().out
    page = performance_page(tmp_path)
    assert f"| model, fast | {report['rows'][1]['server']['turns_a_second']:.2f} |" in page
    assert str(tmp_path) not in page
    assert bench_server.main(["--models", "none"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "bench_server: none: no such folder"


def test_the_studios_figures_stand_on_the_page(tmp_path):
    import bench_studio

    def visit(slower):
        return {name: [slower * 0.1, slower * 0.2, slower * 0.3] for name in bench_studio.NAMES}

    bare = [{name: visit(slower)[name] for name in bench_studio.BOTH} for slower in (1, 2, 4)]
    figures = bench_studio.summary([visit(9), visit(4), visit(8)], bare)
    assert figures["page"]["turn"] == {"median": 1.0, "longest": 2.4, "times": 6}
    assert figures["first_visit"]["preview"] == {"median": 1.8, "longest": 2.7, "times": 3}
    assert figures["ratio"] == {"preview": 2.0, "turn": 2.0}, "a visit's turns beside those that follow it"
    assert "## Studio" not in performance_page(tmp_path)
    machine = {"device": "cpu", "name": "a CPU", "cores": 2, "threads": 2}
    report = {"quick": False, "models": {"blocks": ""}, "machine": machine, "dtype": "float32"}
    report |= {"image_size": 128, "visits": 2, "dialog": ["a cube"], **figures}
    (tmp_path / "bench_studio.json").write_text(json.dumps(report))
    page = performance_page(tmp_path)
    assert "| Enter to the first preview | 1.00 / 2.40 s | 1.80 / 2.70 s | 0.50 / 1.20 s | 2.00 |" in page
    assert "| the page opens: first paint | 1.00 / 2.40 s | 1.80 / 2.70 s |  |  |" in page
