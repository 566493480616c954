"""Imports go one way: no module imports one of a higher layer, and none imports itself by a detour."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

TOP = "cdd_icm"
"""Its `__init__` fetches the public names, of all layers, when they are asked for: to import it imports
nothing."""

LAYERS = [
    ["cdd_icm.errors"],
    ["cdd_icm.console", "cdd_icm.text", "cdd_icm.limits", "cdd_icm.number"],
    ["cdd_icm.remote"],
    [
        *("cdd_icm.io", "cdd_icm.hashing", "cdd_icm.device", "cdd_icm.sources", "cdd_icm.hub"),
        *("cdd_icm.lock", "cdd_icm.signals", "cdd_icm.walk"),
    ],
    ["cdd_icm.progress", "cdd_icm.markdown"],
    ["cdd_icm.config"],
    ["cdd_icm.filmstrip", "cdd_icm.card", "cdd_icm.push"],
    ["cdd_icm.data"],
    ["cdd_icm.model"],
    ["cdd_icm.diffusion"],
    ["cdd_icm.objectives"],
    ["cdd_icm.plan"],
    # the whole is above its parts: the joint loss, and the model that has it
    ["cdd_icm.objectives.joint"],
    ["cdd_icm.model.cddicm"],
    ["cdd_icm.sampling"],
    ["cdd_icm.evaluation", "cdd_icm.train"],
    ["cdd_icm.studio"],
    ["cdd_icm.cli"],
    ["cdd_icm.__main__", TOP],
    ["retrieval.benchmarks", "retrieval.images", "retrieval.fingerprint"],
    ["retrieval.backbones", "retrieval.endpoint"],
    ["retrieval.parsing"],
    ["retrieval.systems", "retrieval.config"],
    ["retrieval.model"],
    ["retrieval.features"],
    ["retrieval.evaluation.metrics", "retrieval.evaluation.ranking"],
    ["retrieval.index", "retrieval.evaluation"],
    ["retrieval.session", "retrieval.train"],
    ["retrieval.cli", "retrieval.store_cli"],
    ["retrieval.finder"],
    ["retrieval"],
]
"""From the lowest. A module is of the layer that names it, or else of that which names the nearest package
above it. Those of one layer may import each other; a package's `__init__` is of its package's layer."""


def modules():
    """Every module's name and file."""
    for package in ("cdd_icm", "retrieval"):
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


FILES = dict(modules())


class OnlyForTypes(ast.NodeTransformer):
    """Leaves out what no program imports: `if TYPE_CHECKING: ...`."""

    def visit_If(self, node):
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def imported(file):
    """The project's modules that a file imports anywhere, also inside of functions."""
    for node in ast.walk(OnlyForTypes().visit(ast.parse(file.read_text()))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield below if below in FILES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


IMPORTS = {name: {other for other in imported(file) if other in FILES} for name, file in FILES.items()}


def layer(module):
    names = {name: number for number, of_layer in enumerate(LAYERS) for name in of_layer}
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in names and (name != TOP or module == TOP):
            return names[name]
    raise AssertionError(f"{module} is of no layer")


@pytest.mark.parametrize("module", FILES)
def test_no_module_imports_a_higher_layer(module):
    higher = sorted(other for other in IMPORTS[module] - {TOP} if layer(other) > layer(module))
    assert higher == []


def test_no_module_imports_itself_by_a_detour():
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        path.append(module)
        for other in sorted(IMPORTS[module] - {TOP}):
            visit(other)
        done.add(path.pop())

    for module in FILES:
        visit(module)


def test_only_the_registry_knows_the_kinds_of_plan():
    """So that another kind touches its own folder and one line."""
    for kind in ("cdd_icm.plan.annotated", "cdd_icm.plan.edits"):
        knowing = {
            module
            for module, others in IMPORTS.items()
            if not module.startswith(kind) and any(other.startswith(kind) for other in others)
        }
        assert knowing == {"cdd_icm.plan.registry"}
