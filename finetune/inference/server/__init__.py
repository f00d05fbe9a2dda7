"""Models on an OpenAI-compatible server: requests, answers, and what servers refuse."""
