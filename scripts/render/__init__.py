"""Renders i-CLEVR dialogs: the world, the words, the files, and Blender. `scripts/render_iclevr.py` is the command."""
