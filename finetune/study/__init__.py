"""Study: a grid of trainings and tests by the product's own commands, and the table that comes of it."""
