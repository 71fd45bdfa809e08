"""The browser side of episodes: one Chromium, a fresh context an episode, pages as text with element refs."""
