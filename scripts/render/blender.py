"""Pictures by Blender's Cycles, from the Python module `bpy`, which the extra `render` installs.

The lamps stand where they do in CLEVR's public scene. What that scene's file alone knew (how strong they are,
where they point, the materials) was found by fitting pictures of the re-rendered i-CLEVR; see docs/render.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from cdd_icm.data.picture import decode
from cdd_icm.errors import InputError
from cdd_icm.limits import MEMBER, read_local
from render.world import COLORS, LENS, RADIUS, SENSOR, Camera, Object


class Lamp(NamedTuple):
    """A square area lamp: its place, the point that it faces, its side, and its power by colour in watts."""

    location: tuple[float, float, float]
    target: tuple[float, float, float]
    size: float
    watts: tuple[float, float, float]


LAMPS = {
    "back": Lamp((-1.1685, 2.64602, 5.81574), (-0.959, -0.580, 0.517), 0.1, (55.9, 55.8, 55.7)),
    "key": Lamp((6.44671, -2.90517, 4.2584), (0.867, 0.339, -0.465), 0.1, (108.2, 100.7, 87.0)),
    "fill": Lamp((-4.67112, -4.0136, 3.01122), (-0.462, 0.200, -0.303), 0.1, (22.7, 24.7, 31.2)),
}
SUN, SUN_ANGLE = Lamp((11.6608, -6.62799, 25.8232), (0.0, 0.0, 0.0), 0.0, (0.748, 0.748, 0.748)), 0.05
"""A lamp at infinity, in watts per square unit, and the angle that it fills, in radians."""
WORLD = 0.053
"""Radiance of the sky, the same from everywhere."""
GROUND, GROUND_SIZE = 0.5, 200.0
"""Albedo and side of the ground."""
DIFFUSE, GLOSSY, ROUGHNESS = 0.65, 0.03, 0.4
"""Rubber: the factor of an object's colour, and the share and roughness of a white gloss."""
BEVEL = 0.06
"""Radius of the edges of cubes and cylinders."""


def import_bpy() -> Any:
    """Raises InputError if it is not installed."""
    try:
        import bpy
    except ImportError as error:
        raise InputError(
            f"bpy: not installed ({error}); pip install 'cdd-icm[render]', on Python 3.11"
        ) from None
    return bpy


class Renderer:
    """Renders scenes at one size. The same scene and seed give the same picture on the same machine.

    Args:
        size: width and height, in pixels.
        samples: rays a pixel; the result is denoised.
        threads: 0 for all cores.
    """

    def __init__(self, size: tuple[int, int], samples: int, threads: int = 0):
        self.bpy = import_bpy()
        with silent():
            self.bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = self.scene = self.bpy.context.scene
        scene.render.engine = "CYCLES"
        scene.cycles.device = "CPU"
        scene.cycles.samples = samples
        scene.cycles.use_adaptive_sampling = False
        scene.cycles.use_denoising = True
        scene.cycles.denoiser = "OPENIMAGEDENOISE"
        scene.render.threads_mode = "FIXED" if threads else "AUTO"
        if threads:
            scene.render.threads = threads
        scene.render.resolution_x, scene.render.resolution_y = size
        scene.render.resolution_percentage = 100
        scene.render.image_settings.file_format = "PNG"
        scene.render.image_settings.color_mode = "RGB"
        scene.view_settings.view_transform = "Standard"
        self._light()
        self._ground()
        self._shapes = {"cube": self._cube(), "sphere": self._sphere(), "cylinder": self._cylinder()}
        self._materials = {
            color: self._material(color, [DIFFUSE * v / 255 for v in rgb], GLOSSY)
            for color, rgb in COLORS.items()
        }
        view = self.bpy.data.cameras.new("camera")
        view.lens, view.sensor_width, view.sensor_fit = LENS, SENSOR, "HORIZONTAL"
        scene.camera = self._add("camera", view)

    def render(self, objects: Sequence[Object], camera: Camera, seed: int) -> UInt8[np.ndarray, "h w 3"]:
        """The picture of the objects, sRGB. `seed`: of the noise, below 2^31."""
        placed = []
        for each in objects:
            found = self._add(each.shape, self._shapes[each.shape])
            found.location, found.rotation_euler = each.centre, (0.0, 0.0, each.rotation)
            found.material_slots[0].link = "OBJECT"
            found.material_slots[0].material = self._materials[each.color]
            placed.append(found)
        self._aim(self.scene.camera, camera.location, (0.0, 0.0, 0.0))
        self.scene.cycles.seed = seed
        try:
            with TemporaryDirectory() as folder, silent():
                file = Path(folder) / "picture.png"
                self.scene.render.filepath = str(file)
                self.bpy.ops.render.render(write_still=True)
                return decode(read_local(file, MEMBER), str(file))
        finally:
            for found in placed:
                self.bpy.data.objects.remove(found)

    def _light(self) -> None:
        for name, lamp in LAMPS.items():
            light = self.bpy.data.lights.new(name, "AREA")
            light.shape, light.size, light.energy = "SQUARE", lamp.size, max(lamp.watts)
            light.color = [watts / max(lamp.watts) for watts in lamp.watts]
            self._aim(self._add(name, light), lamp.location, lamp.target)
        sun = self.bpy.data.lights.new("sun", "SUN")
        sun.energy, sun.angle = max(SUN.watts), SUN_ANGLE
        self._aim(self._add("sun", sun), SUN.location, SUN.target)
        world = self.scene.world = self.bpy.data.worlds.new("world")
        world.use_nodes = True
        world.node_tree.nodes["Background"].inputs["Color"].default_value = (WORLD, WORLD, WORLD, 1.0)

    def _ground(self) -> None:
        half = GROUND_SIZE / 2
        corners = [(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)]
        mesh = self.bpy.data.meshes.new("ground")
        mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
        mesh.materials.append(self._material("ground", [GROUND] * 3, 0.0))
        self._add("ground", mesh)

    def _cube(self) -> Any:
        side = 2 * RADIUS / 2**0.5
        return self._mesh("cube", BEVEL, lambda: self.bpy.ops.mesh.primitive_cube_add(size=side))

    def _sphere(self) -> Any:
        add = self.bpy.ops.mesh.primitive_uv_sphere_add
        return self._mesh("sphere", 0.0, lambda: add(segments=96, ring_count=48, radius=RADIUS))

    def _cylinder(self) -> Any:
        add = self.bpy.ops.mesh.primitive_cylinder_add
        return self._mesh("cylinder", BEVEL, lambda: add(vertices=96, radius=RADIUS, depth=2 * RADIUS))

    def _mesh(self, name: str, bevel: float, add: Any) -> Any:
        """A smooth mesh with rounded edges and room for a material."""
        add()
        found = self.bpy.context.view_layer.objects.active
        self.bpy.ops.object.shade_smooth()
        if bevel:
            rounded = found.modifiers.new("bevel", "BEVEL")
            rounded.width, rounded.segments, rounded.harden_normals = bevel, 4, True
            self.bpy.ops.object.modifier_apply(modifier=rounded.name)
        mesh = found.data
        mesh.name, mesh.use_fake_user = name, True
        mesh.materials.append(None)
        self.bpy.data.objects.remove(found)
        return mesh

    def _material(self, name: str, color: Sequence[float], glossy: float) -> Any:
        """Diffuse, with a share of white gloss."""
        material = self.bpy.data.materials.new(name)
        material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        nodes.clear()
        diffuse, output = nodes.new("ShaderNodeBsdfDiffuse"), nodes.new("ShaderNodeOutputMaterial")
        diffuse.inputs["Color"].default_value = (*color, 1.0)
        surface = diffuse.outputs[0]
        if glossy:
            gloss, mix = nodes.new("ShaderNodeBsdfAnisotropic"), nodes.new("ShaderNodeMixShader")
            gloss.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
            gloss.inputs["Roughness"].default_value = ROUGHNESS
            mix.inputs[0].default_value = glossy
            links.new(surface, mix.inputs[1])
            links.new(gloss.outputs[0], mix.inputs[2])
            surface = mix.outputs[0]
        links.new(surface, output.inputs["Surface"])
        return material

    def _add(self, name: str, data: Any) -> Any:
        added = self.bpy.data.objects.new(name, data)
        self.scene.collection.objects.link(added)
        return added

    def _aim(self, thing: Any, location: Sequence[float], target: Sequence[float]) -> None:
        """Puts a lamp or camera somewhere, upright, facing a point."""
        from mathutils import Vector  # part of bpy

        thing.location = location
        thing.rotation_euler = (Vector(target) - Vector(location)).to_track_quat("-Z", "Y").to_euler()


@contextmanager
def silent() -> Iterator[None]:
    """Keeps Blender, which prints a line a tile, from writing to the standard output."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
