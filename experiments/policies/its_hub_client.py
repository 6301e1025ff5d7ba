"""Answers of its_hub 1.2.0 to a list of prompts, as JSON; runs in an environment of its own, see gateways.py."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Any

BOX = r"\\boxed\{([^{}]*)\}"


async def ask_all(args: argparse.Namespace, rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return text and seconds of each prompt, ``--width`` at a time."""
    # The import is of another environment, which the project's own checks do not see.
    from its_hub.core.algorithms.adaptive_self_consistency import AdaptiveSelfConsistency
    from its_hub.core.algorithms.beta_self_consistency import BetaSelfConsistency
    from its_hub.core.algorithms.self_consistency import SelfConsistency, create_regex_projection_function
    from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel
    from its_hub.core.orchestrator import LMOrchestrator

    kind = {"beta": BetaSelfConsistency, "adaptive": AdaptiveSelfConsistency, "sc": SelfConsistency}[args.algorithm]
    # Its default compares whole texts, which differ even where the answers agree.
    options: dict[str, Any] = {"consistency_space_projection_func": create_regex_projection_function(BOX)}
    if args.concurrency:
        options["orchestrator"] = LMOrchestrator(args.concurrency)
    if args.threshold:
        options["confidence_threshold" if args.algorithm == "beta" else "threshold"] = args.threshold
    algorithm, gate = kind(**options), asyncio.Semaphore(args.width)
    async with OpenAICompatibleLanguageModel(
        args.url, "unused", args.model, temperature=0.7, max_completion_tokens=200
    ) as model:

        async def ask(row: dict[str, str]) -> dict[str, Any]:
            async with gate:
                begun = time.perf_counter()
                answer = await algorithm.ainfer(model, row["prompt"], args.budget)
                return {"text": answer["content"], "seconds": time.perf_counter() - begun}

        return list(await asyncio.gather(*map(ask, rows)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="lab")
    parser.add_argument("--algorithm", choices=["beta", "adaptive", "sc"], default="beta")
    parser.add_argument("--budget", type=int, default=16)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--concurrency", type=int, help="of its orchestrator; its default is 32")
    parser.add_argument("--width", type=int, default=4)
    args = parser.parse_args()
    print(json.dumps(asyncio.run(ask_all(args, json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
