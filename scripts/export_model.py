"""Exports a training run as a model folder with weights in half precision, and a report of its training.

python scripts/export_model.py runs/iclevr data/pretrained/iclevr --report reports/iclevr_training.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from cdd_icm import CDDICMPipeline, load_config
from cdd_icm.config import without_places
from cdd_icm.console import print_error, say
from cdd_icm.errors import InputError
from cdd_icm.io import check_writable, parse_json, read_json, replacing
from cdd_icm.sampling.folder import TRAINING, check_folder
from cdd_icm.text import read_text
from cdd_icm.train.log import seconds_logged


def export(run: Path, out: Path, report: Path) -> None:
    """Writes the pipeline of the training run `run` to `out`, in half precision, and `report` (JSON).

    Raises:
        InputError: `run` has no pipeline written by training, or a file can't be written.
    """
    check_folder(run / "pipeline")
    check_writable(report)
    trained = read_json(run / "pipeline" / TRAINING)
    pipeline = CDDICMPipeline.from_pretrained(
        run / "pipeline", torch_dtype=torch.float16, use_safetensors=True, local_files_only=True
    )
    for part in (pipeline, *pipeline.components.values()):
        if hasattr(part, "register_to_config"):
            part.register_to_config(_name_or_path="")  # without the run's local path
    pipeline.save_pretrained(out, safe_serialization=True)
    with replacing(out / TRAINING) as file:
        file.write_text(json.dumps(trained, indent=1) + "\n", encoding="utf-8")

    last = parse_json(read_text(run / "log.jsonl").splitlines()[-1], f"{run}/log.jsonl")
    facts = {
        "config": without_places(load_config(run / "config.yaml")),
        "samples": last["samples"],
        "hours": round(seconds_logged(run / "log.jsonl") / 3600, 2),
        "device": trained["device"],
        "torch": torch.__version__,
        "parameters": {
            name: sum(p.numel() for p in module.parameters())
            for name, module in pipeline.components.items()
            if isinstance(module, torch.nn.Module)
        },
        "last_log_line": last,
    }
    with replacing(report) as file:
        file.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--report", type=Path, required=True)
    a = parser.parse_args()
    try:
        export(a.run, a.out, a.report)
    except InputError as error:
        print_error("export_model", error)
        return 2
    say(a.out, a.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
