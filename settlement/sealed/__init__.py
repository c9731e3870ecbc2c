"""What a window publishes: its trees, and the head that the network signs."""
