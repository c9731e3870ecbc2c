"""The ledger's SQL: what a batch locks and reads, what it leaves, what is told to it, and questions to its tables."""
