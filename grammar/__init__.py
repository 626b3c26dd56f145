"""The grammar of the bp language, `bp.lark`, as package data."""
