"""The ledger's records as settlement follows them: straight, or over Kafka; and the proof that both come to the same."""
