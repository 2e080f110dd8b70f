"""Tests of attached tables."""
