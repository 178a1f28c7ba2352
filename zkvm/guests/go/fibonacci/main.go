// Command fibonacci accepts the claim (n, f) iff f is the n-th Fibonacci number
// modulo 2^32, found by n additions. About seven steps an iteration, so claim
// word 0 chooses the length of the run.
package main

import (
	"os"

	"tapestry.local/guests/guest"
)

func main() {
	n, want := guest.Claim(0), guest.Claim(1)
	a, b := uint32(0), uint32(1)
	for i := uint32(0); i < n; i++ {
		a, b = b, a+b
	}
	println("fibonacci", n, "=", a)
	if a != want {
		println("the claim says", want)
		os.Exit(1)
	}
}
