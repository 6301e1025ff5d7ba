"""Requests answered under a policy: files of questions, and an OpenAI-compatible endpoint."""
