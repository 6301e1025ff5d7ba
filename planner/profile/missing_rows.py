"""Failed and cut rows, and bounds of what they could change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from isocompute.planner.profile.numbers import Share, WholeNumber


class MissingRows(BaseModel):
    """Rows that failed or were cut, and bounds of what they could change.

    Args:
        failed_solutions: share of the solutions that failed.
        failed_verifications: share of the verifications that failed; None without verifications.
        cut_solutions: share of the solutions that ended at the token limit.
        cut_verifications: the same of the verifications; None without verifications.
        problems: number of problems that the bounds are means over: those of the profile, and those left out.
        single: bounds of the accuracy of one solution: if all failed solutions were wrong, and if all were right;
            problems that are left out count as 0 and as 1. None if nothing failed and no problem is left out.
        voted: the same of self-consistency with `voted_solutions` solutions; None if votes cannot be counted.
        voted_solutions: S of `voted`.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    failed_solutions: Share
    failed_verifications: Share | None = None
    cut_solutions: Share
    cut_verifications: Share | None = None
    problems: WholeNumber
    single: tuple[Share, Share] | None = None
    voted: tuple[Share, Share] | None = None
    voted_solutions: WholeNumber | None = None
