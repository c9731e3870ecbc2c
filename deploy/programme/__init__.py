"""What a network's programme would come to under other rules: the file of rules, the figures, the picture."""
