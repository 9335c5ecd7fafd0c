"""Functions of images and rows that the module of a network brings along: NumPy's, which layers
call too, and those of other libraries, which are read as text alone.
"""
