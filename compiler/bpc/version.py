"""The version of bpc."""

VERSION = "0.3.0"
