"""Stand-ins for `bsub`, `bjobs`, `bkill`, `bhosts`, `bqueues` and `lsid`.

They answer as OpenLava 4.0 does or, where its `bjobs -json` is concerned, as Spectrum LSF.
"""
