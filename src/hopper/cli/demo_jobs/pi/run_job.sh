#!/bin/sh
# The digits of pi by a spigot (Rabinowitz and Wagon, 1995), one after the other.
set -eu
mkdir -p results
awk 'BEGIN {
  digits = 600; cells = int(digits * 10 / 3) + 1; nines = 0; held = -1; out = ""
  for (i = 1; i <= cells; i++) a[i] = 2
  for (n = 0; n <= digits; n++) {
    carry = 0
    for (i = cells; i >= 2; i--) {
      x = a[i] * 10 + carry * i
      a[i] = x % (2 * i - 1)
      carry = int(x / (2 * i - 1))
    }
    x = a[1] * 10 + carry
    a[1] = x % 10
    digit = int(x / 10)
    if (digit == 9) { nines++; continue }
    up = digit == 10
    if (held >= 0) out = out (held + up)
    for (; nines > 0; nines--) out = out (up ? 0 : 9)
    held = up ? 0 : digit
  }
  print substr(out, 1, 1) "." substr(out, 2)
}' > results/pi.txt
printf '%s… (%s digits)\n' "$(cut -c 1-22 results/pi.txt)" "$(($(wc -c < results/pi.txt) - 2))" \
  > results/answer.txt
cat results/answer.txt
