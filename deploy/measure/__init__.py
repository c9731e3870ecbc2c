"""What hold-outs show and what comparisons without one cannot, on the real baskets of The Complete Journey."""
