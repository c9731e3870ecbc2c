"""The book laid against what others say."""
