"""How well curation works: duplicates and contamination found, and what whole datasets take to make."""
