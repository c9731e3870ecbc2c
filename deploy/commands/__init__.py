"""One module per command of `manex`, each imported only when that command is run."""
