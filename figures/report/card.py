"""The data card: what was measured with which models, and the way in which each number was made."""

from __future__ import annotations

import json
from typing import Any

import isocompute
from isocompute.figures.report.markup import ReportPart, ReportTable, format_number
from isocompute.figures.source import FigureSource
from isocompute.planner.profile import Profile
from isocompute.planner.strategy_option import EQUIVALENCE_POINTS

METHODS = {
    "Budget": "1x is the compute of one solution on average. S solutions with V verifications each cost S(1 + λV), "
    "and S scored solutions S(1 + ρ). λ and ρ are the mean costs of a verification and of a score, divided by the mean "
    "cost of a solution.",
    "Accuracy": "From a pool of N solutions with M verdicts each, the expected accuracy of a random subset of S "
    "solutions with V verdicts each, drawn without replacement. Problems are what intervals are over.",
    "Expected accuracy": "What was measured, shrunk towards what is usual in simulated tasks: μ + B(B + C)⁻¹(y − μ), "
    "with the measured means y, the prior mean μ and covariance B, and the covariance C of chance.",
    "Interval": "95 %, by empirical likelihood over problems, stratified by level. It includes the error of the cost, "
    "and of interpolated sizes of searches.",
    "Recommendation": f"Of the strategies within {EQUIVALENCE_POINTS:g} points of the highest expected accuracy within "
    "the budget, the cheapest. A strategy whose verdicts or scores were not shown to tell right from wrong is not "
    "recommended.",
    "P(best)": f"The probability that no other strategy is better by more than {EQUIVALENCE_POINTS:g} points, from "
    "10,000 draws of the joint distribution of expected accuracies.",
    "Budget slider": "The plan changes at a finite number of budgets. All plans are stored in this file, so each "
    "answer equals `isocompute plan --json` at that budget.",
}  # fmt: skip
"""The numbers of a report, and the way in which each was made."""


def build_card(source: FigureSource, measured: str) -> ReportPart:
    """Return the data card of a run or a profile.

    Args:
        source: the run or the profile.
        measured: its name or path.
    """
    profile = source.profile
    facts = {
        "source": measured,
        "profile": profile.name,
        "description": profile.description,
        "problems": f"{profile.problems:,}",
        "λ, a verification in solutions": describe_ratios(profile.lam, profile.lambdas, profile.lambda_source),
        "ρ, a score in solutions": describe_ratios(profile.rhos.get(profile.counting), profile.rhos, None),
        "κ, exponent of the fused vote": format_number(profile.odds_exponent),
        "report by": f"isocompute {isocompute.__version__}",
    }
    tables = [ReportTable("card", "What was measured", ("what", "value"), list(facts.items()))]
    if profile.models:
        tables.append(build_models(profile))
    if tokens := list_tokens(profile):
        columns = ("role", "prompt", "cached", "completion", "seconds")
        tables.append(ReportTable("tokens", "Mean of one request", columns, tokens))
    if profile.missing is not None:
        shares = profile.missing.model_dump(exclude={"problems"})
        rows = [(name.replace("_", " "), format_setting(value)) for name, value in shares.items() if value is not None]
        tables.append(ReportTable("missing", "Rows that failed or were cut (shares)", ("what", "value"), rows))
    settings = list_settings(source.run.read_manifest() if source.run is not None else profile.sampling or {})
    if settings:
        title = "Manifest of the run: seeds, prompts, models, versions" if source.run else "How rows were sampled"
        tables.append(ReportTable("manifest", title, ("setting", "value"), settings))
    tables.append(ReportTable("methods", "How the numbers were made", ("number", "how"), list(METHODS.items())))
    return ReportPart("Data card", (), (), tables)


def build_models(profile: Profile) -> ReportTable:
    """Return the models by role."""
    rows = [
        (
            role,
            model.name or "unknown",
            *("–" if count is None else f"{count:,.0f}" for count in (model.parameters, model.active_parameters)),
            json.dumps(model.settings, ensure_ascii=False) if model.settings else "–",
        )
        for role, model in profile.models.items()
    ]
    return ReportTable("models", "Models", ("role", "name", "parameters", "active parameters", "settings"), rows)


def describe_ratios(value: float | None, by_way: dict[str, Any], source: str | None) -> str:
    """Return λ or ρ with its values by way of counting tokens."""
    ways = ", ".join(f"{way} {format_number(ratio)}" for way, ratio in by_way.items())
    return "; ".join(filter(None, (format_number(value), ways and f"by way of counting: {ways}", source)))


def list_tokens(profile: Profile) -> list[tuple[str, ...]]:
    """Return the mean tokens and seconds of a request by role, over the problems."""
    rows = []
    roles = {role for record in profile.per_problem for role in record.tokens}
    for role in [role for role in ("solver", "verifier", "scorer") if role in roles]:
        means = [record.tokens[role] for record in profile.per_problem if role in record.tokens]
        cells = []
        for name in ("prompt", "cached", "completion", "seconds"):
            values = [getattr(each, name) for each in means]
            known = None not in values and len(values) == profile.problems
            cells.append(format_number(sum(values) / len(values)) if known else "–")
        rows.append((role, *cells))
    return rows


def list_settings(settings: Any, name: str = "") -> list[tuple[str, str]]:
    """Return nested settings as rows of a name and a value; empty ones and the copy in `identity` are left out.

    >>> list_settings({"solver": {"seed": 0, "stop": []}})
    [('solver.seed', '0')]
    """
    if isinstance(settings, dict):
        return [
            row
            for key, value in settings.items()
            if key != "identity"
            for row in list_settings(value, f"{name}.{key}" if name else str(key))
        ]
    return [] if settings is None or settings == [] else [(name, format_setting(settings))]


def format_setting(value: Any) -> str:
    """Return a setting as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
