"""The HTTP API of tills, shops and operators."""
