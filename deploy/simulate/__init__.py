"""Random histories of every operation, told to the real ledger and to a plain model, and compared after every batch."""
