"""The composition root: the only place where ports meet adapters.

What only some commands need is imported where it is: a look at the state is to be quick.
"""
