"""Sentences to click on."""

from __future__ import annotations

EXAMPLES = {
    "blocks": [
        "a red ball in the middle",
        "put a small blue box to the left of it",
        "make the ball green",
        "add a yellow cylinder behind the box",
        "remove the ball",
    ],
    "iclevr": [
        "Add a blue cube at the center",
        "Add a red sphere behind it on the left",
        "Add a green cylinder in front of it on the right",
        "Add a yellow sphere behind it on the right",
    ],
    "codraw": [
        "big sun at the top left corner",
        "small apple tree on the right side",
        "in the middle a happy boy with his arms up facing right",
        "a dog in front of the boy on the right",
    ],
}
"""Sentences that the shipped models know; other models get those of the blocks."""
