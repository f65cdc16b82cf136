"""imr: what happens to a denied treatment, before it happens."""
