"""The process that renders chat templates, which come with models and may loop without end or grow without bound.

Started by `chat` as ``python -m isocompute.runners.engines.template_worker SECONDS MEGABYTES``. Requests and replies
are JSON, one a line:

    {"template": "{{ messages[0].content }}", "turns": [{"role": "user", "content": "1+1?"}], "reply": true,
     "names": {}}
    {"text": "1+1?"}      or      {"error": "'x' is undefined"}

A template that exceeds its CPU time ends the process.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from isocompute.runners.resource_limits import limit_cpu_time, limit_resources

LONGEST_CHAT = 2**22
"""The longest conversation that a template may make."""


def render_request(request: dict[str, Any], megabytes: int) -> dict[str, str]:
    """Return the reply to a request."""
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        (text,), _ = render_jinja_template(
            conversations=[request["turns"]],
            chat_template=request["template"],
            add_generation_prompt=request["reply"],
            **request["names"],
        )
    except MemoryError:
        return {"error": f"it takes more than {megabytes} MB of memory"}
    except Exception as error:  # noqa: BLE001 - a template can raise any error of Python
        return {"error": (str(error).splitlines() or [type(error).__name__])[0]}
    if len(text) > LONGEST_CHAT:
        return {"error": f"it makes a text of more than {LONGEST_CHAT:,} characters"}
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"error": "it makes half of a surrogate pair, which is not valid text"}
    return {"text": text}


def serve_templates(seconds: float, megabytes: int) -> None:
    """Answer the requests from standard input on standard output, until there are no more."""
    logging.disable(logging.CRITICAL)
    replies = os.fdopen(os.dup(1), "w", buffering=1, encoding="ascii")
    os.dup2(2, 1)  # libraries' prints go to stderr
    render_request({"turns": [], "template": "{{ messages }}", "reply": True, "names": {}}, megabytes)  # loads them
    limit_resources(megabytes)
    replies.write("{}\n")
    for line in sys.stdin:
        request = json.loads(line)
        limit_cpu_time(seconds)
        reply = json.dumps(render_request(request, megabytes))
        limit_cpu_time(0)  # no limit while waiting for the next request
        replies.write(reply + "\n")


if __name__ == "__main__":
    serve_templates(float(sys.argv[1]), int(sys.argv[2]))
