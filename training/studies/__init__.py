"""What is asked of one evaluation beyond its table: slices, importance, learning curve, ratings."""
