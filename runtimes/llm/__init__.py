"""Models: one interface, the providers behind it, and the built-in teacher."""
