"""All sections of a report, in their order."""

from mgc_hf.comparison import findings, overview
from mgc_hf.comparison.by_system import systems_page
from mgc_hf.comparison.context import context
from mgc_hf.comparison.inconsistencies import inconsistencies
from mgc_hf.comparison.material import Material
from mgc_hf.comparison.paper_items import data_images, system_items
from mgc_hf.comparison.ranking import duels, standings
from mgc_hf.comparison.sections import PAGES, Section
from mgc_hf.errors import RecordError


def all_sections(material: Material) -> list[Section]:
    """Return a report's sections, page by page in the order of `PAGES`.

    Args:
        material ([`Material`]): The runs.

    Raises:
        RecordError: There is no run.
    """
    if not material.runs:
        raise RecordError(
            "there is no finished run to report on; give folders of finished runs, or ORG/NAME on the Hub"
        )
    found = {protocol: standings(material, protocol) for protocol in material.protocols}
    fought = {protocol: duels(material, protocol) for protocol in material.protocols}
    sections = [
        overview.compared(material),
        overview.ranking(material, found, fought),
        overview.leak_section(material),
        findings.findings(material),
        findings.cost(material),
        findings.calibration(material),
        *data_images(material),
        *system_items(material),
        overview.final_table(material),
        *systems_page(material),
        *inconsistencies(),
        *context(material),
    ]
    _check_names(sections)
    order = list(PAGES)
    return sorted(sections, key=lambda section: order.index(section.page))


def _check_names(sections: list[Section]) -> None:
    """Make sure that no name is taken twice: addresses and files are made of them."""
    names = [section.key for section in sections]
    for kind in ("tables", "pictures"):
        keys = [item.key for section in sections for item in getattr(section, kind)]
        assert len(keys) == len(set(keys)), f"{kind}: a name is taken twice in {sorted(keys)}"
    assert len(names) == len(set(names)), f"a name is taken twice in {names}"
