"""Where the images come from: finding, downloading and reading files, so that common/datasets.py need not.

A file of the user's is read or refused with a UserError. It is never executed, changed or deleted.
"""
