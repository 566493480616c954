"""Renders i-CLEVR dialogs: the parts of `scripts/render_iclevr.py`."""
