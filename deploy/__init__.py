"""The composition root: the manex command, local servers and migrations. Imported by nobody."""
