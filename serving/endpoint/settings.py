"""The settings of a server, from the command line, checked before anything is started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from isocompute.errors import ConfigError
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.planner.budget import Budget
from isocompute.planner.policies.policy_file import PolicyFile, read_policy_file
from isocompute.planner.profile import Profile, read_profile
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.prompts import load_prompt
from isocompute.serving.endpoint.options import AUTO, POLICY_NAMES, VALUE_RULE
from isocompute.serving.endpoint.plans import Defaults
from isocompute.serving.endpoint.prompting import SAMPLING_FIELDS, RoleSettings
from isocompute.serving.endpoint.scorer_settings import ScorerSettings, read_scorer_settings
from isocompute.serving.policy_choice import is_policy_file

KEY_VARIABLE = "ISOCOMPUTE_SERVE_KEY"
"""The environment variable that holds the key of clients."""

SHORTEST_KEY = 16
"""Characters of the shortest key with which the server listens beyond loopback."""

SERVED_ROLES = ("solver", "verifier", "scorer")
DEFAULT_GRADER = "math"
VERIFIER_PROMPT = "genrm-base"
"""The prompt of a verifier of which the profile names none."""


@dataclass(frozen=True)
class ServeSettings:
    """A server, as it is asked for.

    Args:
        profile: the measurements.
        urls: role → base URLs.
        models: role → the name of its model at its server, if it is given.
        roles: role → how it is prompted.
        defaults: what is done where a request does not say.
        grader: name of the grader by which answers are read.
        policy_file: a policy from a file; None without one.
        scorer: how solutions are scored; None without a scorer.
        host, port: where it listens.
        key: the key of clients; None for none.
        width: solutions that are sampled side by side beyond those that are needed anyway.
        running, waiting: requests that are answered at once, and that wait.
        calls: calls to the servers behind at once.
        timeout: seconds of a call.
        retries: how often a call is sent again.
        drain: seconds that requests have to end after SIGTERM.
    """

    profile: Profile
    urls: Mapping[str, Sequence[str]]
    models: Mapping[str, str]
    roles: Mapping[str, RoleSettings]
    defaults: Defaults
    grader: str = DEFAULT_GRADER
    policy_file: PolicyFile | None = None
    scorer: ScorerSettings | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    key: str | None = field(default=None, repr=False)
    width: int = 4
    running: int = 64
    waiting: int = 256
    calls: int = 512
    timeout: float = 600.0
    retries: int = 4
    drain: float = 60.0


def build_serve_settings(
    profile: str,
    urls: Sequence[str],
    *,
    models: Sequence[str] = (),
    budget: str = "16x",
    policy: str = AUTO,
    threshold: float | None = None,
    most_budget: str = "256x",
    prices: str | None = None,
    device: str | None = None,
    batch: int | None = None,
    host: str = "127.0.0.1",
    grader: str | None = None,
    **limits: float,
) -> ServeSettings:
    """Check what the command line says, and return it with the profile.

    Args:
        profile: name or path of the profile.
        urls: ``role=URL``, or a URL alone for the solver; several of a role by repetition or with commas.
        models: ``role=NAME``.
        budget: compute of a request that does not say.
        policy: one of `POLICY_NAMES`, or a policy file.
        threshold: the rule's.
        most_budget: the most that a request may ask for, in x.
        prices: the prices of tokens by model, a file.
        device: the device of budgets in GPU-hours.
        batch: requests that are decoded together.
        host: where to listen.
        grader: name of the grader; that of the policy file, of the profile, or `DEFAULT_GRADER`, if it is not given.
        limits: the other fields of `ServeSettings`.

    Raises:
        BudgetError: a budget cannot be read.
        ConfigError: a role, a policy or a grader is unknown, the solver has no URL, or the key is missing.
        DataError: there is no such profile.
    """
    measured = read_profile(profile)
    servers = split_roles(urls, "--url", "http://localhost:8000/v1")
    if "solver" not in servers:
        raise ConfigError("The solver needs a server: --url solver=http://localhost:8000/v1.")
    policy_file = read_policy_file(policy) if is_policy_file(policy) else None
    policy = policy if policy_file is None else policy_file.rule
    if policy not in POLICY_NAMES:
        raise ConfigError(f"The policy '{policy}' is unknown; there are {', '.join(POLICY_NAMES)}, and policy files.")
    if policy == VALUE_RULE and policy_file is None and VALUE_RULE not in measured.measured_policies:
        raise ConfigError(
            f"The profile '{profile}' does not have the rule value; fit its run again, or give a file of isocompute "
            "policies RUN --rule value -o policy.json."
        )
    if threshold is not None and (policy not in STOP_RULES or policy_file is not None):
        raise ConfigError("A threshold belongs to a rule; name one with --policy.")
    if policy_file is not None:
        verifies = policy_file.verifications > 0
    elif policy == VALUE_RULE:
        verifies = measured.measured_policies[policy].most_verifications > 0
    else:
        verifies = policy in STOP_RULES and STOP_RULES[policy].is_weighted
    if verifies and "verifier" not in servers:
        raise ConfigError(f"The policy {policy} verifies; give the verifier's server: --url verifier=http://….")
    learnt_grader = None if policy_file is None or policy_file.grader is None else policy_file.grader.partition("/")[0]
    grader = grader or learnt_grader or (measured.sampling or {}).get("grader") or DEFAULT_GRADER
    GRADERS.find(grader)
    most = Budget.parse(most_budget).to_solutions(None)
    named = {role: names[0] for role, names in split_roles(models, "--model", "NAME").items()}
    defaults = Defaults(Budget.parse(budget), policy, threshold, most, prices, device, batch)
    return ServeSettings(
        measured,
        servers,
        named,
        {role: read_role_settings(measured, role) for role in servers if role != "scorer"},
        defaults,
        grader,
        policy_file,
        read_scorer_settings(measured) if "scorer" in servers else None,
        host,
        key=read_key(host),
        **limits,  # type: ignore[arg-type]
    )


def split_roles(given: Sequence[str], option: str, example: str) -> dict[str, list[str]]:
    """Return the values of each role.

    >>> split_roles(["http://a/v1,http://b/v1", "verifier=http://c/v1"], "--url", "URL")
    {'solver': ['http://a/v1', 'http://b/v1'], 'verifier': ['http://c/v1']}

    Raises:
        ConfigError: a role is unknown, or cannot be served, or a value is empty.
    """
    found: dict[str, list[str]] = {}
    for text in given:
        role, equals, value = text.partition("=")
        if not equals or "/" in role:
            role, value = "solver", text
        if role not in SERVED_ROLES:
            raise ConfigError(
                f"{option} has the role '{role}'; write {option} solver={example}, verifier={example} or "
                f"scorer={example}."
            )
        values = [part.strip() for part in value.split(",")]
        if not all(values):
            raise ConfigError(f"{option} has an empty value for the {role}; write {option} {role}={example}.")
        found.setdefault(role, []).extend(values)
    return found


def read_role_settings(profile: Profile, role: str) -> RoleSettings:
    """Return how the profile's run prompted a role's model.

    A solver without a known prompt gets the client's messages as they are; a verifier gets `VERIFIER_PROMPT`.

    Raises:
        ConfigError: the verifier's prompt cannot be read.
    """
    model = profile.models.get(role)
    known = {} if model is None else model.model_dump().get("settings") or {}
    needs = ("question",) if role == "solver" else ("question", "solution")
    name = known.get("prompt")
    prompt = None
    if role == "verifier":
        prompt = load_prompt(name or VERIFIER_PROMPT, needs=needs)
    elif name:
        try:
            prompt = load_prompt(name, needs=needs)
        except ConfigError:
            prompt = None  # a file of the run that is not here
    sampling = {field: known[field] for field in SAMPLING_FIELDS if known.get(field) is not None}
    return RoleSettings(prompt, bool(known.get("chat", True)), sampling)


def read_key(host: str) -> str | None:
    """Return the key of clients from the environment; None on loopback without one.

    Raises:
        ConfigError: the host is not loopback's, and the key is missing or short.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    try:
        is_loopback = ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback and len(key) < SHORTEST_KEY:
        raise ConfigError(
            f"Beyond loopback ({host}) clients need a key: set {KEY_VARIABLE} to {SHORTEST_KEY} characters or more."
        )
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{KEY_VARIABLE} holds characters that are not allowed in a key.")
    return key or None
