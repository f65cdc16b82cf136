"""The published rates as starting odds: series apart, few figures shrunken."""

from __future__ import annotations

import math

import numpy as np
import pytest

from imr.models.outcome.start import PublishedOdds, odds_from_rates, published_odds

DWC, CWCI = "DWC, treatment request", "CWCI, service"


def row(series: str, year: int, category: str, subcategory: str, rate: float) -> dict[str, str]:
    publisher, counted = series.split(", ")
    return {
        "year_from": str(year),
        "year_to": str(year),
        "category": category,
        "subcategory": subcategory,
        "overturn_rate_low": str(rate),
        "overturn_rate_high": str(rate),
        "counted": counted,
        "publisher": publisher,
    }


def test_level_comes_from_treatment_requests_alone():
    rates = [
        row(DWC, 2016, "ALL", "", 0.08),
        row(CWCI, 2016, "ALL", "", 0.30),
        row("DWC, decision", 2016, "ALL", "", 0.40),
    ]
    assert odds_from_rates(rates).year_log_odds(np.array([2016])) == pytest.approx(
        math.log(0.08 / 0.92)
    )


def test_a_category_is_compared_inside_its_own_series_and_shrunken():
    rates = [
        row(DWC, 2016, "ALL", "", 0.08),
        row(CWCI, 2016, "ALL", "", 0.10),
        row(CWCI, 2016, "Psych Services", "", 0.20),
    ]
    full = math.log(0.20 / 0.80) - math.log(0.10 / 0.90)
    assert odds_from_rates(rates).ratio("Psych Services", "Therapies") == pytest.approx(full / 3)


def test_shipped_rates():
    prior = published_odds()
    kinds = ("Evaluation & Management", "Psych Services", "Other", "Injection")
    ratios = [prior.ratio(kind, None) for kind in kinds]
    assert ratios == sorted(ratios, reverse=True)
    assert len(set(ratios)) == 4
    assert prior.ratio("Other", None) == 0
    assert prior.year_log_odds(np.array([2016.0])) == pytest.approx(math.log(0.084 / 0.916))


def test_years_between_and_beyond_the_published_ones():
    prior = PublishedOdds(((2016.0, -2.0), (2018.0, -1.0)), {})
    years = np.array([2010, 2016, 2017, 2025, np.nan])
    assert prior.year_log_odds(years).tolist() == [-2.0, -2.0, -1.5, -1.0, -1.5]


def test_subcategory_before_category_before_nothing():
    prior = PublishedOdds(((2016.0, 0.0),), {("A", ""): 0.1, ("A", "a"): 0.5})
    assert [prior.ratio("A", "a"), prior.ratio("A", "b"), prior.ratio("B", None)] == [0.5, 0.1, 0.0]


def test_rates_of_some_providers_are_not_used():
    rates = [row(DWC, 2014, "ALL", "", 0.08), row(DWC, 2014, "ALL", "top providers", 0.09)]
    assert odds_from_rates(rates) == odds_from_rates(rates[:1])


def test_no_level_is_refused():
    with pytest.raises(ValueError, match="treatment requests"):
        odds_from_rates([row(CWCI, 2016, "ALL", "", 0.1)])


def test_stored_and_read_again():
    prior = published_odds()
    assert PublishedOdds.from_json(prior.to_json()) == prior
