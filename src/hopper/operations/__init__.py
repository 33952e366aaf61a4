"""What a person can ask of hopper, whichever way: the command line and the web page call these."""
