"""mossgen: makes benign image+text queries that look alarming, to measure and mend oversensitivity."""

__version__ = "0.1.0"
