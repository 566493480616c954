"""Evaluation: a detector finds the objects in generated pictures, which are scored by the field's
protocol."""

from cdd_icm.evaluation.detector import Detections, Detector, annotated, load_detector, shipped_detector
from cdd_icm.evaluation.evaluate import evaluate_model
from cdd_icm.evaluation.fidelity import fidelity
from cdd_icm.evaluation.metrics import (
    bootstrap_interval,
    precision_recall_f1,
    preservation,
    relational_similarity,
)
from cdd_icm.evaluation.protocol import evaluate_no_op, evaluate_pictures, no_op_dialogs
from cdd_icm.evaluation.replay import replay_sentences
from cdd_icm.evaluation.report import compare, markdown, read_report, write_report
from cdd_icm.evaluation.sentences import judge, read_sentences
from cdd_icm.evaluation.train_detector import DetectorConfig

__all__ = [
    "Detections",
    "Detector",
    "DetectorConfig",
    "annotated",
    "bootstrap_interval",
    "compare",
    "evaluate_model",
    "evaluate_no_op",
    "evaluate_pictures",
    "fidelity",
    "judge",
    "load_detector",
    "markdown",
    "no_op_dialogs",
    "precision_recall_f1",
    "preservation",
    "read_report",
    "read_sentences",
    "relational_similarity",
    "replay_sentences",
    "shipped_detector",
    "write_report",
]
