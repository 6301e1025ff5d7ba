"""A process that writes rows to a run, part by part, until all are there: started and killed by the tests.

python writer_process.py RUN ROWS [PADDING]
"""

from __future__ import annotations

import os
import sys

from isocompute.runners.storage import joining
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE


def write_missing_rows(path: str, rows: int, padding: int) -> None:
    """Write the rows that a run lacks, two to a part; the text is as long as the padding and cannot be compressed."""
    joining.JOINED_WHILE_WRITING = 8
    run = Run(path)
    with run.lock():
        if not run.exists:
            run.write_manifest({"config": {}, "format": 2})
        done = {number for _, number in run.read_keys(SOLUTIONS_TABLE)}
        writer = run.open_writer(SOLUTIONS_TABLE)
        print("writing", flush=True)
        for number in range(rows):
            if number not in done:
                text = os.urandom(padding // 2).hex()
                row = {"problem_id": "p", "solution_id": number, "text": text, "answer": "7", "correct": True}
                writer.add_rows([{**row, "status": "ok"}])
                if number % 2:
                    writer.flush()
        writer.flush()


if __name__ == "__main__":
    write_missing_rows(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 20)
