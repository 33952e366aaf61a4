"""The scheduler: what to do next is decided here, and nothing is done here.

``loop`` is one tick over the ports of ``ports``. ``policy`` decides from plain values (what is
to be done on one worker: ``visits``), ``intents`` records it, ``orders`` writes it down and
``sending`` has it done. ``reports`` takes in what came of it; ``reconcile`` says what a report
means, by what it speaks of: ``contact``, ``launches``, ``sightings``, ``externals``,
``remains``; and ``endings`` what the end of an attempt means for its job. A step gathers its
changes on a ``desk``; the ``ledger`` makes them durable, and the ``book`` follows.
"""
