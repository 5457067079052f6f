"""Links public names, written as code in a page, to their reference."""

from docutils import nodes
from sphinx import addnodes

import skdistill.datasets
import skdistill.export
import skdistill.inspection
import skdistill.metrics
import skdistill.transfer

MODULES = (
    skdistill,
    skdistill.datasets,
    skdistill.export,
    skdistill.inspection,
    skdistill.metrics,
    skdistill.transfer,
)
NAMES = {
    name: f"{module.__name__}.{name}"
    for module in MODULES
    for name in module.__all__
    if not name.startswith("_")
}


def link_names(app, doctree):
    """Turn the first mention of each name in a section into a reference."""
    if app.env.current_document.docname.startswith(("api", "generated/api")):
        return
    seen = set()
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext()
        place = literal.parent
        while place and not isinstance(place, nodes.section):
            if isinstance(place, nodes.title | nodes.reference):
                break
            place = place.parent
        else:
            if name in NAMES and (id(place), name) not in seen:
                seen.add((id(place), name))
                reference = addnodes.pending_xref(
                    "",
                    literal.deepcopy(),
                    refdomain="py",
                    reftype="obj",
                    reftarget=NAMES[name],
                    refexplicit=True,
                    refwarn=True,
                )
                literal.replace_self(reference)


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-read", link_names)
    return {"parallel_read_safe": True}
