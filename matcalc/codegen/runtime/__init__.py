"""Functions that generated source brings along, where a library lacks one or a better one is
known.

Each file is a module of one library, for linters, types and tests; generated source takes its
functions as text (``write.excerpts``). Nothing else imports these files, so that no library is
loaded to write source for it. ``common`` is written once for all libraries, ``plain`` holds NumPy's
simplest forms, and what several files define is taken from the last that a target names.
"""
