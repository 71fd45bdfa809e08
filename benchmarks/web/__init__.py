"""The web runtime beside raw Playwright and BrowserGym: `make bench-web`."""
