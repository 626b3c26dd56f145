"""IR to Python: `module.write_module` is the way in."""
