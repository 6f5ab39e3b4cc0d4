"""The record layer: messages in sealed records over Noise transport keys."""

from e2ee.record.layer import ContentType, RecordLayer, as_view
from e2ee.record.padding import Padding

__all__ = ["ContentType", "Padding", "RecordLayer", "as_view"]
