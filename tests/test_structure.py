"""The shape of the package: rooms, imports, sizes and words."""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "skdistill"

# A module or folder at the top of the package imports from later ones alone.
ROOMS = [
    *("__main__", "_cli", "inspection", "metrics", "export", "__init__"),
    *("_classifier", "_regressor", "_distilled", "teachers", "_fit", "_selection"),
    *("_parts", "_validation", "_students", "_outofcore", "_labels"),
    *("transfer", "datasets", "torch"),
    *("_soft_data", "_paired", "_dataset", "_copies"),
    *("_nets", "_nested", "_fixed_model", "_frames", "_version", "_warnings", "_files"),
    *("_tasks", "_progress"),
    *("_learned_html", "_fit_figures"),
    *("_checks", "_typing", "_sklearn"),
]

PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md"))),
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*/*.md"))),
)

MAX_LINES = 400
MAX_BODY_LINES = 45

OLD_WORDS = re.compile(
    r"by heart|\blessons?\b|\brecit(e|es|ed|ing|al)\b|\brecipes?\b|\bhonest"
    r"|\bleak_|\btrials?_|\bParcel\b|\bmoves_leaves\b|\bgrows_alone\b|nothing to say"
    r"|_judges\b|\bjudging\b|\bunjudged\b"
    # A fronted genitive, "Of a network the ...": the subject comes first.
    r"|(?-i:\bOf [a-z`])",
    re.IGNORECASE,
)


def name_module(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULE = pytest.mark.parametrize("module", MODULES)
PACKAGES = pytest.mark.parametrize(
    "module", [name for name, path in MODULES.items() if path.name == "__init__.py"]
)


@cache
def parse(module):
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def is_for_types(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk_run(node):
    """Every node that runs, imports inside functions too, without those for types."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not is_for_types(child):
            yield from walk_run(child)


def resolve_base(module, node):
    """The absolute name of what `from … import` names before `import`."""
    package = module.split(".")
    if MODULES[module].name != "__init__.py":
        package = package[:-1]
    parents = package[: len(package) - node.level + 1] if node.level else []
    return ".".join([*parents, *filter(None, [node.module])])


def list_imports(module):
    """Modules of the package that this one imports, at once or when a function runs."""
    names = set()
    for node in walk_run(parse(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_base(module, node)
            inner = {f"{base}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else base for name in inner}
    return names.intersection(MODULES) - {module}


def find_room(module):
    return module.split(".")[1] if "." in module else "__init__"


def count_body_lines(function):
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return function.end_lineno - body[0].lineno + 1 if body else 0


def refuse_circles(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_circle_among_modules():
    refuse_circles({module: list_imports(module) for module in MODULES})


def list_part_imports(package):
    """What each file and folder of a package imports of the other ones."""
    graph = {}
    n_words = package.count(".") + 2
    inside = [module for module in MODULES if module.startswith(f"{package}.")]
    for module in inside:
        part = ".".join(module.split(".")[:n_words])
        found = {".".join(m.split(".")[:n_words]) for m in list_imports(module)}
        others = {p for p in found - {part} if p.startswith(f"{package}.")}
        graph.setdefault(part, set()).update(others)
    return graph


@PACKAGES
def test_no_circle_among_the_parts_of_a_package(module):
    refuse_circles(list_part_imports(module))


def test_ways_to_export_know_nothing_of_each_other():
    graph = list_part_imports("skdistill.export")
    ways = {f"skdistill.export.{way}" for way in ("onnx", "c")}
    for way in ways:
        assert "skdistill.export._reading" in graph[way]
        assert not graph[way] & ways


def test_every_room_has_its_place():
    assert sorted({find_room(module) for module in MODULES}) == sorted(ROOMS)


def test_the_map_names_every_room_in_order():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (`[^|]*) \|", text.split("## The map of the house")[1], re.M
    )
    names = re.findall(r"`([^`]+)`", " ".join(rows))
    named = [name.strip("/").removesuffix(".py") for name in names]
    # Neither has anything of its own inside.
    assert named == [room for room in ROOMS if room not in ("__main__", "__init__")]


@MODULE
def test_no_import_runs_up(module):
    place = ROOMS.index(find_room(module))
    assert [m for m in list_imports(module) if ROOMS.index(find_room(m)) < place] == []


@PACKAGES
def test_packages_hand_names_on_and_define_nothing(module):
    for node in parse(module).body:
        if isinstance(node, ast.Assign):
            names = {ast.unparse(target) for target in node.targets}
            assert names <= {"__all__", "__version__"}, ast.unparse(node)
        elif isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), ast.unparse(node)
        else:
            assert isinstance(node, ast.Import | ast.ImportFrom), ast.unparse(node)


@MODULE
def test_files_and_functions_are_short(module):
    lines = MODULES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert count_body_lines(node) <= MAX_BODY_LINES, node.name


def test_old_words_are_gone():
    files = [ROOT / name for name in PAGES]
    files += [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if OLD_WORDS.search(line)
    ]
    assert not hits, "\n".join(hits)


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_files_that_exist(page):
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"test_\w+\.py", text)) <= tests
    for module in re.findall(r"python -m (benchmarks[\w.]+)", text):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), module
    links = re.findall(r"\]\(([^)#]+)\)", text)
    links += re.findall(r'(?:src|srcset)="([^"]+)"', text)
    for link in links:
        assert link.startswith("https:") or (path.parent / link).is_file(), link
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.M)
    }
    assert {*re.findall(r"\]\(#([^)]+)\)", text)} <= headings


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 150
