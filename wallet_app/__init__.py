"""The members' wallet."""
