"""How a search spends its slots: strategies that know nothing of models, and what is selected in the end."""

from isocompute.runners.search.strategies.beam import beam
from isocompute.runners.search.strategies.dvts import dvts
from isocompute.runners.search.strategies.node import Node, Strategy
from isocompute.runners.search.strategies.particle import particle
from isocompute.runners.search.strategies.rebase import rebase
from isocompute.runners.search.strategies.revise import revise
from isocompute.runners.search.strategies.select import RULES, chosen

__all__ = ["RULES", "Node", "Strategy", "beam", "chosen", "dvts", "particle", "rebase", "revise"]
