"""How a search spends its slots: strategies that know nothing of models, and what is selected in the end."""

from isocompute.runners.strategies.beam import beam
from isocompute.runners.strategies.dvts import dvts
from isocompute.runners.strategies.node import Node, Strategy
from isocompute.runners.strategies.particle import particle
from isocompute.runners.strategies.rebase import rebase
from isocompute.runners.strategies.revise import revise
from isocompute.runners.strategies.select import RULES, chosen

__all__ = ["RULES", "Node", "Strategy", "beam", "chosen", "dvts", "particle", "rebase", "revise"]
