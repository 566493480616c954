"""No source calls what could run data (pickles, `eval`, a shell, a folder's own code) or reads it past the
limits and the numbers that are refused."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SOURCES = sorted(file for part in ("cdd_icm", "retrieval", "scripts") for file in (ROOT / part).rglob("*.py"))
FORBIDDEN = {
    "pickle": (),
    "joblib": (),
    "dill": (),
    "marshal": (),
    "shelve": (),
    "eval": (),
    "exec": (),
    "__import__": (),
    "os.system": (),
    "os.popen": (),
    "torch.load": (),
    "torch.jit.load": (),
    "torch.hub.load": (),
    "webdataset.WebDataset": (),
    "gopen": (),
    "url_opener": (),
    "tarfile_samples": (),
    "extractall": (),
    "AutoTokenizer.from_pretrained": ("hub",),
    "print": ("console",),
    "Image.open": ("picture", "bench_retrieval"),
    "json.load": (),
    "json.loads": ("io", "annotations"),
    "yaml.safe_load": ("describe", "pages"),  # of shipped configs
    "load_file": ("io",),
    "safe_open": (),
    "h5py.File": ("geneva_hdf5",),
    "zipfile.ZipFile": ("files",),
    "tarfile.open": ("files", "shards"),
    "lzma.open": ("codraw",),
    "read_text": ("limits", "fingerprint", "describe", "device", "pages"),  # of sources and of the system
    "read_bytes": (),
}
"""Calls and imports that may stand nowhere but in the modules named."""


METHODS = ("gopen", "extractall", "read_text", "read_bytes")
"""Those of them that are found as methods of anything."""

MAY_OPEN = ("limits", "io", "files", "checkpoint")
"""The modules that may call `open` to read."""


def faults(tree: ast.AST, module: str) -> list[str]:
    """Lines of a module that break the rules, as `number: call`."""
    found = []
    loaders = {"yaml.SafeLoader"}
    loaders |= {node.name for node in ast.walk(tree) if _is_safe_loader(node)}
    for node in ast.walk(tree):
        names, keywords = [], {}
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Call):
            names = [ast.unparse(node.func)]
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            loader = keywords.get("Loader") or (ast.unparse(node.args[1]) if len(node.args) > 1 else "")
            if names[0] in ("yaml.load", "yaml.load_all") and loader not in loaders:
                found.append(f"{node.lineno}: {names[0]} without a safe loader")
            mode = keywords.get("mode") or (ast.unparse(node.args[1]) if len(node.args) > 1 else "'r'")
            if names[0] == "open" and mode[1:2] == "r" and module not in MAY_OPEN:
                found.append(f"{node.lineno}: open, to read")
            if keywords.get("type") in ("int", "float"):
                found.append(f"{node.lineno}: type={keywords['type']}, which takes nan and -0")
        for name in names:
            parts = name.split(".")
            for forbidden, allowed in FORBIDDEN.items():
                wanted = forbidden.split(".")
                # a bare name is a builtin or a module, not a method such as `model.eval()`
                hit = name == forbidden or (len(wanted) > 1 and parts[-len(wanted) :] == wanted)
                hit = hit or (forbidden in METHODS and forbidden in parts)
                if hit and module not in allowed:
                    found.append(f"{node.lineno}: {name}")
            if name.startswith("Auto") and name.endswith(".from_pretrained") and module != "hub":
                found.append(f"{node.lineno}: {name}")
        for key in ("shell", "allow_pickle", "trust_remote_code"):
            if keywords.get(key, "False") != "False":
                found.append(f"{node.lineno}: {key}={keywords[key]}")
    return found


def _is_safe_loader(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == [
        "yaml.SafeLoader"
    ]


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_source_breaks_the_rules(file):
    assert faults(ast.parse(file.read_text(encoding="utf-8")), file.stem) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib",
        "eval('1')",
        "exec(text)",
        "os.system('ls')",
        "subprocess.run('ls', shell=True)",
        "torch.load(file)",
        "yaml.load(text, yaml.Loader)",
        "yaml.load(text)",
        "np.load(file, allow_pickle=True)",
        "AutoTokenizer.from_pretrained(folder)",
        "AutoModel.from_pretrained(folder, trust_remote_code=False)",
        "transformers.AutoTokenizer.from_pretrained(folder)",
        "DiffusionPipeline.from_pretrained(folder, trust_remote_code=True)",
        "webdataset.WebDataset(url)",
        "from webdataset.tariterators import tarfile_samples",
        "from webdataset import gopen",
        "tar.extractall(folder)",
        "print(name)",
        "Image.open(file)",
        "json.loads(text)",
        "json.load(file)",
        "file.read_text()",
        "Path('x.json').read_bytes()",
        "open(file)",
        "open(file, 'rb')",
        "h5py.File(file)",
        "from safetensors.torch import load_file",
        "parser.add_argument('-k', type=int)",
    ],
)
def test_the_rules_find(line):
    assert faults(ast.parse(line), "module")


def test_the_rules_pass_what_is_meant():
    fine = "model.eval()\nsubprocess.run(['ls'])\nopen(file, 'ab')"
    fine += "\nclass L(yaml.SafeLoader): pass\nyaml.load(text, L)"
    assert faults(ast.parse(fine), "module") == []


@pytest.mark.parametrize("file", sorted({*SOURCES, *(ROOT / "tests").rglob("*.py")}), ids=str)
def test_a_long_file_says_why_in_its_first_line(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400 or "One file, as" in lines[0]
