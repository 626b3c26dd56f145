"""The version of bpc."""

VERSION = "0.1.0"
