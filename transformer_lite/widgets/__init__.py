"""Interactive views for the chapters; each is also a still picture and a text."""

from transformer_lite.widgets.bottleneck import BottleneckExplorer

__all__ = ["BottleneckExplorer"]
