"""A report of a round or a release: one folder of plain files in which a browser shows every trajectory."""
