"""From rows to examples: one module a shape, each a generator over batches of rows.

Which rows are taken is decided before (`curate`); how examples lie in files is the formats' matter. Examples
are made of what a row holds: observations are whole, also where a request had them cut to fit the window.
"""
