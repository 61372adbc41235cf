"""Scripts that run exports in the libraries they are for, in a Python of their own; nothing here imports ionsim."""
