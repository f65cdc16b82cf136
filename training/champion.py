"""Is a new model better than the champion?  Judged on unseen letters that both were tested on; the
better one is registered under the alias ``champion``.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imr.models.frame import KEY_COLUMNS, Array
from imr.training import metrics, one_line, shortened
from imr.training.metrics import COMPARED_HITS, Metric, better_by
from imr.training.run_folder import PREDICTIONS, RunFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

LEAST_ITEMS = 50
# A new champion is better in so many of the paired draws: half of them is a coin.
SURE = 0.9
DRAWS = 1000
# A worse guideline is not bought with a better probability: a hundredth is the noise of a fit.
GUIDELINE_SLACK = 0.01
# What a server says to who may not do this.
DENIED = re.compile(r"error code 403|PERMISSION_DENIED")
CHAMPION, CANDIDATE = "champion", "candidate"
NOTE = "mlflow.note.content"
"""MLflow shows this tag as a run's description."""
_WRAPPED = re.compile(r"(?<!\n)\n *(?=[^\s*|#])")
"""A line break inside a paragraph or a point of a list."""
DESCRIPTION_LENGTH = 4900
"""What stores of MLflow take of a description, in characters, less a little."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``better`` decides the alias; ``figures``: a row a figure of both on the common items.
    ``refused`` where the registry let no alias be set.
    """

    better: bool
    reason: str
    figures: tuple[dict[str, str], ...] = ()
    refused: bool = False

    @property
    def alias(self) -> str:
        """The alias of the new model; empty where it was refused."""
        if self.refused:
            return ""
        return CHAMPION if self.better else CANDIDATE


def judge(new: pd.DataFrame, champion: pd.DataFrame, seed: int = 0) -> Verdict:
    """Compare two tables of predictions on unseen letters (``Evaluation.predictions_table``).

    Better is: less log loss of the outcome on the common items, in at least :data:`SURE` of the
    paired draws of letters, and no worse guideline.  Each table was predicted by models that had
    not seen the item, whatever else they were trained on.
    """
    both = new.merge(champion, on=[*KEY_COLUMNS], suffixes=("", "_champion"), validate="one_to_one")
    both = both[both["overturned"] == both["overturned_champion"]]
    overturned = int(both["overturned"].sum())
    if len(both) < LEAST_ITEMS or overturned in (0, len(both)):
        return Verdict(
            False,
            f"not comparable: {len(both)} items ({overturned} overturned) were tested for both "
            f"models, at least {LEAST_ITEMS} with both outcomes are needed",
        )
    weights = metrics.bootstrap_weights(both["group"].to_numpy(), DRAWS, seed)
    values = {str(n): both[n].to_numpy(dtype=np.float64) for n in both.select_dtypes("number")}
    ours, theirs = (
        metrics.log_loss(values["overturned"], values[name], weights)
        for name in ("p_overturned", "p_overturned_champion")
    )
    gain = theirs - ours
    sure = metrics.share_above_0(gain)
    hits = values["section_top1"] - values["section_top1_champion"]
    guideline = float(metrics.mean(hits, weights)[0])
    better = False
    if gain[0] == 0 and not hits.any():
        said = "the same"
    elif not gain[0] > 0:
        said = "not better"
    elif sure < SURE:
        said = f"not surely better (in {SURE:.0%} of draws)"
    elif guideline < -GUIDELINE_SLACK:
        said = "guideline worse"
    else:
        better, said = True, "better"
    return Verdict(
        better,
        f"{said}: on {len(both)} common items log loss {ours[0]:.4f} against {theirs[0]:.4f} "
        f"(better in {sure:.0%} of draws), guideline section top-1 {guideline:+.3f}",
        tuple(_figures(values, weights)),
    )


def _figures(values: Mapping[str, Array], weights: Array) -> Iterator[dict[str, str]]:
    """Figures of the new model and of the champion, and by how much the new one is better."""
    y = values["overturned"]
    for name, (column, metric) in FIGURES.items():
        if f"{column}_champion" not in values:
            continue  # a champion of another version may not have kept this figure
        ours, theirs = (metric(y, values[c], weights) for c in (column, f"{column}_champion"))
        gain = better_by(name, ours, theirs)
        e = metrics.estimate(gain)
        yield {
            "figure": name,
            "this run": f"{ours[0]:.4f}",
            "champion": f"{theirs[0]:.4f}",
            "better by": f"{e.value:+.4f} ({e.low:+.4f} to {e.high:+.4f})",
            "better in draws": f"{metrics.share_above_0(gain):.0%}",
        }


FIGURES: Mapping[str, tuple[str, Metric]] = {
    "log_loss": ("p_overturned", metrics.log_loss),
    "brier": ("p_overturned", metrics.brier),
    "auc": ("p_overturned", metrics.auc),
    "average_precision": ("p_overturned", metrics.average_precision),
    **{n: (n, lambda _y, hits, w: metrics.mean(hits, w)) for n in reversed(COMPARED_HITS)},
}
"""Figure -> the column of the predictions that it is of, and how it is made."""


def register(
    client: MlflowClient, name: str, run_id: str, model_uri: str, kept: RunFolder, promote: bool
) -> tuple[str, Verdict]:
    """Register a logged model as champion (with ``promote`` whatever the figures) or candidate; its
    version, and why.  A registry may allow versions and no aliases: the verdict says so.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    champion = _champion(client, name)
    verdict = _verdict(client, champion, kept)
    if promote and not verdict.better:
        verdict = replace(verdict, better=True, reason=f"promoted by hand; {verdict.reason}")
    card = kept.card()
    # MLflow speaks to the terminal here, whatever its loggers are told.
    with contextlib.redirect_stderr(io.StringIO()):
        made = mlflow.register_model(model_uri, name, await_registration_for=60)
    version = str(made.version)
    client.update_model_version(name, version, described(f"{verdict.reason}\n\n{card}"))
    client.set_model_version_tag(name, version, "run_id", run_id)
    client.set_model_version_tag(name, version, "data_digest", kept.run["facts"]["data_digest"])
    try:
        client.set_registered_model_alias(name, verdict.alias, version)
    except MlflowException as error:
        if not DENIED.search(str(error)):
            raise
        said = (
            f"the registry does not let you set the alias {verdict.alias}: ask whoever keeps it "
            f"for that right, or to set it on version {version} of {name}"
        )
        return version, replace(verdict, refused=True, reason=f"{said}; {verdict.reason}")
    if verdict.better:
        client.update_registered_model(name, described(card))
        if champion is not None:
            _retire(client, champion, version)
    return version, verdict


def described(text: str) -> str:
    """As MLflow's pages take it: a line a paragraph, whole paragraphs up to what they hold."""
    return shortened(_WRAPPED.sub(" ", text), DESCRIPTION_LENGTH)


def _champion(client: MlflowClient, name: str) -> ModelVersion | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        # A registry that does not answer may well have a champion.
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def _retire(client: MlflowClient, loser: ModelVersion, version: str) -> None:
    """What called the loser champion says what it was; its alias has moved already."""
    from mlflow.exceptions import MlflowException

    until = f"champion until version {version}"
    client.update_model_version(
        loser.name, loser.version, described(f"{until}. {loser.description or ''}")
    )
    try:
        run = client.get_run(str(loser.run_id))
    except MlflowException:
        # Somebody deleted the run; the version tells what it was.
        return
    client.set_tag(run.info.run_id, "alias", "former champion")
    client.set_tag(run.info.run_id, "alias_reason", until)
    note = run.data.tags.get(NOTE, "").replace(f"**{CHAMPION}**", f"**{until}**", 1)
    client.set_tag(run.info.run_id, NOTE, note)


def _verdict(client: MlflowClient, champion: ModelVersion | None, kept: RunFolder) -> Verdict:
    """The first model is the champion; a later one has to be better on the same protocol."""
    import mlflow
    from mlflow.exceptions import MlflowException

    if champion is None:
        return Verdict(True, "the first model: there is no champion to beat")
    try:
        theirs = client.get_run(str(champion.run_id))
        path = mlflow.artifacts.download_artifacts(
            run_id=champion.run_id, artifact_path=f"tables/{PREDICTIONS}"
        )
        table = pd.read_csv(path, dtype={"letter_id": "string"})
    except (MlflowException, OSError) as error:
        return Verdict(False, f"not comparable: the champion's run is gone ({one_line(error)})")
    ours = pd.read_csv(kept.folder / "tables" / PREDICTIONS, dtype={"letter_id": "string"})
    if theirs.data.params.get("by") != kept.run["params"]["by"]:
        return Verdict(False, "not comparable: the champion was evaluated by another protocol")
    verdict = judge(ours, table)
    return replace(verdict, reason=f"{verdict.reason} (champion: version {champion.version})")
