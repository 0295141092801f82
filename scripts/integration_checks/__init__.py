"""Checks of integrations with real frameworks; see scripts/check_integrations.py."""
