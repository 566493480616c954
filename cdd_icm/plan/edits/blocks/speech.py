"""A text about changes to a scene while it is being written: its clauses, and what they have told so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cdd_icm.plan.edits.blocks.mentions import Mention, plain_mention, point_at, refers_to, say_plain
from cdd_icm.plan.edits.blocks.places import Fact, Landmark, Spot
from cdd_icm.plan.edits.blocks.scene import Block


@dataclass
class Speech:
    """What a text tells while it is being written.

    Attributes:
        facts: what it has told of the places of blocks, each with the block.
        mentions: how it has pointed at blocks of the scene, each with the numbers of those that are meant.
    """

    rng: np.random.Generator
    scene: tuple[Block, ...]
    touched: tuple[int, ...]
    facts: list[tuple[Fact, Block]] = field(default_factory=list)
    mentions: list[tuple[Mention, tuple[int, ...]]] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    """Those of the scene that the text has changed already, which later words had better not speak of."""
    named: bool = False
    """Whether it has named blocks of the scene since it last added one; "it" may then be one of those."""
    added: list[Block] = field(default_factory=list)
    """Those that it has added already, which later words had better not mean."""
    pronoun: float = 0.5
    """How likely "it" is said where it can be."""

    def point(self, i: int, pronoun: float | None = None) -> str:
        """Words for block i of the scene."""
        chance = self.pronoun if pronoun is None else pronoun
        scene = (*self.scene, *self.added)
        mention, words = point_at(self.rng, scene, self.touched, i, chance, self.gone)
        if self.added and refers_to(mention, self.scene, self.touched) != (i,):
            mention = plain_mention(self.rng, self.scene[i], full=True)
            words = say_plain(self.rng, mention, "the")
        self.mentions.append((mention, (i,)))
        self.named = True
        if mention.how == "it":
            self.pronoun = max(self.pronoun, 0.5)
        else:
            self.pronoun = 0.0  # after another was named, "it" could be that one
        return words

    def landmarks(self, but: Sequence[int] = ()) -> list[Landmark]:
        """The blocks of the scene that a place can be told by."""
        return [
            Landmark(block, lambda i=i: self.point(i))
            for i, block in enumerate(self.scene)
            if i not in self.gone and i not in but
        ]

    def tell(self, spot: Spot, block: Block) -> str:
        """The words of the spot; notes what it says of the block."""
        self.facts += [(fact, block) for fact in spot.facts]
        return spot.text
