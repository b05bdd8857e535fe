"""A Hub to test against: a small server on 127.0.0.1 that unmodified Hub clients push to and load from.

`store.py` keeps repositories on disk, `core.py` and `routes/` answer requests, `xet.py` takes large files from clients with Xet,
`faults.py` makes it fail on purpose, `pages.py` shows repositories to a browser, `server.py` starts it; `python -m tests.hub --port N --root DIR` starts it by hand.
"""
