"""Web sites that this process serves itself, under made-up names that no DNS knows.

Whoever opens a browser context hands them to its proxy, which leads the names there: `egress.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

LocalSites = Mapping[str, int]
"""Names, lower case (`{"shop.test": 41207}`), each with its port on 127.0.0.1; http on port 80 to a page."""
