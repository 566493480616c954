"""Makes the folder that ships from a training run: half-precision weights, and a report of how it was
trained.

    python scripts/export_model.py runs/iclevr data/pretrained/iclevr --report reports/iclevr_training.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import torch
import yaml

from cdd_icm import CDDICMPipeline


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--report", type=Path, required=True)
    arguments = parser.parse_args()

    pipeline = CDDICMPipeline.from_pretrained(
        arguments.run / "pipeline", torch_dtype=torch.float16, use_safetensors=True
    )
    pipeline.save_pretrained(arguments.out, safe_serialization=True)

    lines = [json.loads(line) for line in (arguments.run / "log.jsonl").read_text().splitlines()]
    starts = [0, *(line["samples"] for line in lines)]
    seconds = sum(
        (line["samples"] - start) / line["images_per_second"]
        for start, line in zip(starts, lines, strict=False)
    )
    config = yaml.safe_load((arguments.run / "config.yaml").read_text())
    config["data"]["path"] = Path(config["data"]["path"]).name  # where it lay is nobody's business
    if config["init"]:
        config["init"] = Path(config["init"]).name
    report = {
        "config": config,
        "samples": lines[-1]["samples"],
        "hours": round(seconds / 3600, 2),
        "machine": f"{os.cpu_count()} x {platform.processor() or platform.machine()}",
        "torch": torch.__version__,
        "parameters": {
            name: sum(p.numel() for p in module.parameters())
            for name, module in pipeline.components.items()
            if isinstance(module, torch.nn.Module)
        },
        "last_log_line": lines[-1],
    }
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(json.dumps(report, indent=1) + "\n")
    print(arguments.out, arguments.report)


if __name__ == "__main__":
    main()
