"""The OpenAI-compatible endpoint, which answers each request with the samples that a plan or a policy asks for."""
