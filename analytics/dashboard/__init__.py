"""A market that one can watch: a local web page, fed from published generations and public notices.

docs/dashboard.md says what it shows, docs/decisions/0108 why it is made as it is.
"""
