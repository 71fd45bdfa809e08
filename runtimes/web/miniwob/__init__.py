"""MiniWoB++, a public yardstick of small web tasks: its pages served locally, and tasks made of them.

The pages come from the `miniwob` package (MIT), an extra of this one; only its files are used.
"""

from runtimes.web.miniwob.site import HOST, MiniwobSite

__all__ = ["HOST", "MiniwobSite"]
