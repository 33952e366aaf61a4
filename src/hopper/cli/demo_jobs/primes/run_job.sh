#!/bin/sh
# The primes below a bound, by the sieve of Eratosthenes.
set -eu
mkdir -p results
awk -v bound=300000 'BEGIN {
  for (n = 2; n < bound; n++) {
    if (n in struck) continue
    count++; last = n; print n > "results/primes.txt"
    for (m = n * n; m < bound; m += n) struck[m]
  }
  printf "%d primes below %d, the last is %d\n", count, bound, last
}' > results/answer.txt
cat results/answer.txt
