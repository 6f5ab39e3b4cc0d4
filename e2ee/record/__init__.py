"""The record layer: messages in sealed records over Noise transport keys."""

from e2ee.record.layer import ContentType, RecordLayer
from e2ee.record.padding import Padding

__all__ = ["ContentType", "Padding", "RecordLayer"]
