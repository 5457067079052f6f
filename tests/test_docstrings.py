"""Public docstrings have the names, order and defaults of the signatures."""

import ast
import importlib
import inspect
import pkgutil
import re

import pytest

import skdistill

#: Parameters that a docstring explains as a whole, or not at all.
UNNAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

#: Descriptions that state no default: those of another method, and the `y` that
#: scikit-learn's convention asks for.
ELSEWHERE = "as elsewhere"
NO_DEFAULT = (ELSEWHERE, "None")


def list_modules():
    yield skdistill
    for info in pkgutil.iter_modules(skdistill.__path__, "skdistill."):
        if not info.name.split(".")[-1].startswith("_"):
            if info.name == "skdistill.torch":
                pytest.importorskip("torch")
            yield importlib.import_module(info.name)


def list_public():
    """Name and signature owner of every public function, class and method."""
    found = {}
    for module in list_modules():
        # A module without __all__ is one file, whose own names count.
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and getattr(value, "__module__", None) == module.__name__
        ]
        for name in names:
            value = getattr(module, name)
            if not callable(value):
                continue
            found[f"{module.__name__}.{name}"] = value
            if inspect.isclass(value):
                found |= list_methods(f"{module.__name__}.{name}", value)
    return found


def list_methods(owner, kind):
    """Public methods that the package defines; scikit-learn's own are its matter."""
    return {
        f"{owner}.{name}": method
        for name, method in inspect.getmembers(kind, callable)
        if not name.startswith("_")
        and getattr(method, "__module__", "").startswith("skdistill")
        and inspect.getdoc(method)
    }


def read_parameters(docstring):
    """What the section of parameters says of each name, in order."""
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", docstring, re.M | re.S
    )
    stated = {}
    for line in section[1].splitlines() if section else []:
        entry = re.fullmatch(r"([\w*]+(?:, [\w*]+)*)(?: : (.*))?", line)
        if entry:
            stated |= dict.fromkeys(entry[1].split(", "), entry[2] or ELSEWHERE)
    return stated


def read_default(text):
    """The default that a description states, as Python reads it."""
    found = re.search(r"default(?:=|: )(.+)$", text)
    return None if found is None else ast.literal_eval(found[1])


PUBLIC = list_public()
#: Made by a function of the package alone, they describe their attributes.
RESULTS = {
    "skdistill.export.Pruned",
    "skdistill.inspection.DistillationReport",
    "skdistill.inspection.RegressionReport",
}


def test_the_public_names_are_found():
    found = {name.split(".")[-1] for name in PUBLIC}
    assert {
        "DistilledClassifier",
        "Munge",
        "to_onnx",
        "agreement_score",
        "fit",
    } <= found


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_parameters_and_results_are_annotated(name):
    value = PUBLIC[name]
    called = value.__init__ if inspect.isclass(value) else value
    if not getattr(called, "__module__", "").startswith("skdistill"):
        return  # made by typing or dataclasses, of annotated fields
    signature = inspect.signature(called)
    bare = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty
        and parameter.name not in ("self", "cls")
    ]
    assert not bare
    assert signature.return_annotation is not signature.empty


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_defaults_are_those_of_the_signature(name):
    docstring = inspect.getdoc(PUBLIC[name])
    if name in RESULTS:
        assert "Parameters\n" not in docstring
        return
    stated = read_parameters(docstring)
    signature = inspect.signature(PUBLIC[name]).parameters.values()
    given = [p for p in signature if p.kind not in UNNAMED and p.name != "self"]
    listed = [key for key in stated if not key.startswith("*")]
    assert listed == [p.name for p in given]
    for parameter in given:
        if stated[parameter.name] in NO_DEFAULT:
            continue
        text = stated[parameter.name]
        if parameter.default is inspect.Parameter.empty:
            assert "default" not in text, parameter.name
        else:
            assert "default=" in text, parameter.name
            assert repr(read_default(text)) == repr(parameter.default), parameter.name
