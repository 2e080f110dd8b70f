"""Shared by the end-to-end tests, the demo and the benchmarks: a private PostgreSQL cluster, an
image origin and a webhook receiver that follow a script, and a running gateway."""
