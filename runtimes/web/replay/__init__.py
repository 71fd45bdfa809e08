"""Recorded web episodes done again by their locators."""
