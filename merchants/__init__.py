"""The merchants' side of the network: people, contracts, sales and the decision on a batch."""
