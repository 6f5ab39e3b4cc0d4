"""Coroutines are tests here as in the folder of the transports."""

from tests.transport.conftest import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]
