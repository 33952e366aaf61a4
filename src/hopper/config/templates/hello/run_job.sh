#!/bin/sh
# An example job: the straight line through the measurements, by least squares.
# Whatever is in results/ at the end comes home; exit code 0 means it went well.
set -eu
mkdir -p results
echo "fitting ${1:-by hand} on $(uname -n)"
awk -F, '
  NR > 1 { n++; x = $1; y = $2; sx += x; sy += y; sxx += x * x; sxy += x * y; syy += y * y }
  END {
    if (n < 2) { print "too few measurements" > "/dev/stderr"; exit 1 }
    dx = n * sxx - sx * sx; dy = n * syy - sy * sy; d = n * sxy - sx * sy
    slope = d / dx
    printf "{\"points\": %d, \"slope\": %.6f, \"intercept\": %.6f, \"r_squared\": %.6f}\n",
      n, slope, (sy - slope * sx) / n, d * d / (dx * dy)
  }
' data/measurements.csv > results/fit.json
cat results/fit.json
