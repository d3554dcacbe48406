"""The marker of the core, where a test has several parameters and the core has use of one set of them.

    @pytest.mark.core("refusal", only="an unknown tag")

only: the id of the parameters, as it stands between the brackets, or a tuple of such ids.
"""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        given = [mark.kwargs["only"] for mark in item.iter_markers("core") if "only" in mark.kwargs]
        only = {one for some in given for one in (some if isinstance(some, tuple) else (some,))}
        parameters = item.name.partition("[")[2].removesuffix("]")
        if only and parameters not in only:
            # Each item has lists of its own.
            item.own_markers[:] = [mark for mark in item.own_markers if mark.name != "core"]
