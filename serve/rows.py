"""Predictions as the contract's table: one row an item."""

from __future__ import annotations

from imr.serve.writers import TableColumn

GUIDELINES = 3
"""Candidates a row holds."""

SCORE_COLUMNS = (
    TableColumn("letter_id", "str"),
    TableColumn("item_index", "int"),
    TableColumn("requested", "str"),
    TableColumn("category", "str"),
    TableColumn("subcategory", "str"),
    TableColumn("p_overturned", "float"),
    TableColumn("predicted_outcome", "str"),
    TableColumn("p_overturned_low", "float"),
    TableColumn("p_overturned_high", "float"),
    TableColumn("guideline_1", "str"),
    TableColumn("guideline_1_p", "float"),
    TableColumn("guideline_2", "str"),
    TableColumn("guideline_2_p", "float"),
    TableColumn("guideline_3", "str"),
    TableColumn("guideline_3_p", "float"),
    TableColumn("reasons", "reasons"),
    TableColumn("decision", "str"),
    TableColumn("decision_guideline", "str"),
    TableColumn("warnings", "texts"),
    TableColumn("model_uri", "str"),
    TableColumn("scored_at", "timestamp"),
)

ERROR_COLUMNS = tuple(TableColumn(n, "str") for n in ("source", "reason", "message", "remedy"))
