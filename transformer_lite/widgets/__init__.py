"""Interactive views for the chapters; each is also a still picture and a text."""

from transformer_lite.widgets.bottleneck import BottleneckExplorer
from transformer_lite.widgets.softmax import SoftmaxExplorer
from transformer_lite.widgets.stepper import DecoderStepper

__all__ = ["BottleneckExplorer", "DecoderStepper", "SoftmaxExplorer"]
