"""No source calls what could run data (pickles, `eval`, a shell, a folder's own code), reads it past the
limits and the numbers that are refused, or takes or writes text in another encoding than UTF-8."""

import ast
from collections.abc import Iterator
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
    "read_bytes": ("limits",),
}
"""Calls and imports that may stand nowhere but in the modules named."""


METHODS = ("gopen", "extractall", "read_bytes")
"""Those of them that are found as methods of anything."""

MAY_OPEN = ("limits", "io", "files", "checkpoint")
"""The modules that may call `open` to read bytes."""


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
            found += [f"{node.lineno}: {fault}" for fault in file_faults(node, keywords, module)]
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


def file_faults(call: ast.Call, keywords: dict[str, str], module: str) -> Iterator[str]:
    """What a call reads that `cdd_icm.text`, `io` or `limits` should read, or writes as text in an encoding
    that depends on the machine."""
    name = ast.unparse(call.func)
    written_as_utf8 = keywords.get("encoding") == "'utf-8'"
    if name.endswith(".read_text"):
        yield f"{name}: read with cdd_icm.text"
    if name.endswith(".write_text") and not written_as_utf8:
        yield f"{name} without encoding"
    method = name.endswith(".open") and not call.args and name not in FORBIDDEN
    if name in ("open", "io.open") or method:
        given = [keywords["mode"]] if "mode" in keywords else [ast.unparse(each) for each in call.args[1:2]]
        mode = ast.literal_eval(given[0]) if given else "r"
        if "b" not in mode and not (mode[0] in "awx" and written_as_utf8):
            yield f"{name}: text without cdd_icm.text"
        elif mode[0] == "r" and module not in MAY_OPEN:
            yield f"{name}, to read"


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
        "Path('x.json').read_bytes()",
        "open(file, 'rb')",
        "h5py.File(file)",
        "from safetensors.torch import load_file",
        "parser.add_argument('-k', type=int)",
        "file.read_text()",
        "Path(name).read_text(encoding='utf-8')",
        "file.write_text(text)",
        "file.write_text(text, encoding='latin-1')",
        "open(file)",
        "open(file, encoding='utf-8')",
        "open(file, 'a')",
        "file.open()",
        "file.open(mode='w')",
    ],
)
def test_the_rules_find(line):
    assert faults(ast.parse(line), "module")


def test_the_rules_pass_what_is_meant():
    fine = "model.eval()\nsubprocess.run(['ls'])\nclass L(yaml.SafeLoader): pass\nyaml.load(text, L)\n"
    fine += "read_text(file)\nread_local(file)\nopen(file, 'ab')\nopen(file, 'a', encoding='utf-8')\n"
    fine += "file.write_text(text, encoding='utf-8')"
    assert faults(ast.parse(fine), "module") == []


@pytest.mark.parametrize("file", sorted({*SOURCES, *(ROOT / "tests").rglob("*.py")}), ids=str)
def test_a_long_file_says_why_in_its_first_line(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400 or "One file, as" in lines[0]
