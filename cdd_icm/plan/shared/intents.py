"""What kind of request a text is."""

INTENTS = ("change", "nothing", "undo", "unknown", "absent", "nonsense")
"""- "change": it asks for changes that the world can show;
- "nothing": it asks to leave the picture as it is, or only greets, thanks or praises;
- "undo": it takes back the turn before;
- "unknown": it asks for something that the world does not have, such as a dog or the colour orange;
- "absent": it speaks of an object that is not in the picture, or that it does not single out;
- "nonsense": it is no request at all."""
