"""Training: what runs a generated module on data, for `bpc train` and `bpc predict`."""
