"""Named worlds, each a module that gives environments, and objectives to plant in them."""
