"""The demo: a coalition of shops lives through a year of real baskets, over the HTTP API, and settles each week."""
