"""The version of bpc."""

VERSION = "0.2.0"
