"""What Milvus Lite and its faiss log or print while they work: collected, or hidden."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def logged(name: str) -> Iterator[Iterable[str]]:
    """Collects the exceptions that a logger gets within the block, instead of printing them: only there does
    Milvus Lite say why it can't open a store."""
    logger, reasons = logging.getLogger(name), []
    handler = logging.Handler()
    handler.emit = lambda record: record.exc_info and reasons.append(str(record.exc_info[1]))
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield iter(reasons)
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


@contextmanager
def faiss_quiet() -> Iterator[None]:
    """Hides what faiss prints to the process's stderr: a warning that there are few vectors to train the
    index with, although a single list needs no training."""
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
