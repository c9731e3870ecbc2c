"""What a merchant is told of a window: the statement, on paper, as a workbook, in words of its language."""
