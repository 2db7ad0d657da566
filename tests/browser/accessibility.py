"""Runs axe-core on a page of a browser and lists serious and critical findings."""

from __future__ import annotations

from typing import Any

LEAST = ("serious", "critical")


def findings(page: Any) -> list[str]:
    """One line for each serious or critical finding: rule, element and fault."""
    from axe_playwright_python.base import AXE_SCRIPT

    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{page.url}: {rule['id']} at {node['target']}: {_why(node)}"
        for rule in found
        if rule["impact"] in LEAST
        for node in rule["nodes"]
    ]


def _why(node: dict[str, Any]) -> str:
    return (
        "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
        + " "
        + node["html"][:160]
    )
