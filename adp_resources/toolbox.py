"""The toolbox as the settings and the table of tools want it."""

from __future__ import annotations

import logging

from adp_resources.database import Database
from adp_resources.settings import Settings
from adp_resources.tool_table import ToolTable, rulings_in, servers_in, skill_folders_in
from runtimes.tools.mcp.servers import McpRules
from runtimes.tools.skills import find_skills
from runtimes.tools.toolbox import Ruling, Toolbox

log = logging.getLogger(__name__)

NO_SEARCH = Ruling(is_active=False, reason="the setting SEARCH_URL names no endpoint")


def toolbox_of(settings: Settings, database: Database) -> Toolbox:
    """Every tool of this deployment. A skill that cannot be read is left out, and the log says why."""
    rows = ToolTable(database).rows()
    skills, faults = find_skills(settings.path(settings.skills_dir), skill_folders_in(rows))
    for fault in faults:
        log.warning("a skill is left out: %s", fault)
    rulings = rulings_in(rows)
    if not settings.search_url:
        rulings["web_search"] = NO_SEARCH
    return Toolbox(
        level=settings.tool_permission,
        skills=skills,
        servers=servers_in(rows),
        rulings=rulings,
        mcp_rules=mcp_rules(settings),
    )


def mcp_rules(settings: Settings) -> McpRules:
    """What this deployment lets MCP servers be."""
    return McpRules(settings.mcp_allowed_commands, settings.mcp_allowed_hosts, settings.mcp_secrets)
