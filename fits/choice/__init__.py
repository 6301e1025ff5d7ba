"""Choosing allocations and strategies, and scoring the choice on other problems."""
