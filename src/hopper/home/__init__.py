"""Files at home: dropped zips, their folders, and results that came back."""
