"""What a page may reach: the rules, and the proxy that keeps them."""
