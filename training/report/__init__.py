"""An evaluation for readers: terminal tables, plots, the model card, the catalogue of columns."""
