"""The models that are offered, each loaded once, with the queue of the device that they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from PIL import Image

from cdd_icm.device import find_device
from cdd_icm.errors import InputError, of_type
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.session import DrawingSession
from cdd_icm.studio.queue import DeviceQueue, Ticket


@dataclass(eq=False)
class Engine:
    """A model and the queue of the device that it draws on."""

    name: str
    path: str
    """The model's folder."""
    pipeline: CDDICMPipeline
    queue: DeviceQueue
    _of_preset: dict[str, CDDICMPipeline] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def presets(self) -> list[str]:
        """The names of the model's alternative settings."""
        return sorted(self.pipeline.config.sampling_presets)

    def with_preset(self, name: str | None) -> CDDICMPipeline:
        """The pipeline with a preset's settings and scheduler as its defaults, or with its own for None. It
        shares the weights, and is made once for each preset: a preset of one caller changes nothing for
        another.

        Raises:
            InputError: the model has no such preset; the message lists those that it has.
        """
        if name is None:
            return self.pipeline
        of_type(name, str, "preset", "the name of a preset")
        with self._lock:
            if name not in self._of_preset:
                # shares parts and lock, but gets a config and scheduler of its own; `from_pipe` would turn
                # the weights to float32
                twin = copy(self.pipeline)
                twin.use_preset(name)
                self._of_preset[name] = twin
            return self._of_preset[name]

    def warm_up(self) -> Ticket:
        """Has two short turns drawn, so that the first visitor does not wait for what torch prepares once."""

        def draw() -> None:
            size = (self.pipeline.image_size,) * 2
            session = DrawingSession(self.pipeline, self.pipeline.canvas or Image.new("RGB", size))
            for _ in range(2):  # a turn with a history takes another way
                session.say("warm up", num_inference_steps=2)

        return self.queue.submit(draw)


class Engines(Sequence[Engine]):
    """The models by number or by name; the first is the default. Closing them closes their queue."""

    def __init__(self, engines: Sequence[Engine]):
        if not engines:
            raise InputError("--model: no model is given")
        self._engines: dict[str, Engine] = {}
        for engine in engines:
            if (other := self._engines.get(engine.name)) is not None:
                raise InputError(
                    f"--model {engine.path}: its name {engine.name!r} is that of {other.path}, too; "
                    "rename a folder"
                )
            self._engines[engine.name] = engine

    @classmethod
    def load(
        cls,
        folders: Sequence[Path],
        device: str = "auto",
        dtype: str = "auto",
        limit: int = 64,
        own: int = 8,
        largest_batch: int = 8,
    ) -> Engines:
        """Loads models; each is named as its folder.

        Args:
            device, dtype: see `load_pipeline`. limit: jobs that may wait, own: of one caller.
            largest_batch: turns that are drawn in one forward pass at most.

        Raises:
            InputError: two of one name, no such device, or as `load_pipeline`.
        """
        queue = DeviceQueue(str(find_device(device)), limit, own, largest_batch)
        try:
            # two of one name are refused before any is loaded, which takes seconds
            cls([Engine(_name(folder), str(folder), None, queue) for folder in folders])
            loaded = []
            for folder in folders:
                pipeline = load_pipeline(folder, device, dtype)
                pipeline.set_progress_bar_config(disable=True)
                loaded.append(Engine(_name(folder), str(folder), pipeline, queue))
            return cls(loaded)
        except BaseException:
            queue.close()
            raise

    @property
    def names(self) -> list[str]:
        return list(self._engines)

    @property
    def queues(self) -> list[DeviceQueue]:
        """Each queue once."""
        return list(dict.fromkeys(engine.queue for engine in self))

    def named(self, name: str | None) -> Engine:
        """The model of a name, the first for None. Raises InputError, which lists the names, at another."""
        if name is None:
            return self[0]
        if name not in self._engines:
            raise InputError(f"model: {name!r:.60} is not offered here; there are {', '.join(self.names)}")
        return self._engines[name]

    def __getitem__(self, number: int) -> Engine:
        return list(self._engines.values())[number]

    def __len__(self) -> int:
        return len(self._engines)

    def __iter__(self) -> Iterator[Engine]:
        return iter(self._engines.values())

    def close(self) -> None:
        """Ends the queues, see `DeviceQueue.close`."""
        for queue in self.queues:
            queue.close()

    def __enter__(self) -> Engines:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _name(folder: Path) -> str:
    return folder.resolve().name
