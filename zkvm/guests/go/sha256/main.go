// Command sha256 accepts a claim whose first eight words are the SHA-256 of all
// the words after them. Word 8 says how many words follow it; word 9 how often
// the hash is applied to its own output after the first time.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"

	"tapestry.local/guests/guest"
)

func main() {
	var want [32]byte
	for i := uint32(0); i < 8; i++ {
		binary.BigEndian.PutUint32(want[4*i:], guest.Claim(i))
	}
	words := guest.Claim(8)
	again := guest.Claim(9)
	message := make([]byte, 0, 64)
	for i := uint32(0); i < words; i++ {
		message = binary.BigEndian.AppendUint32(message, guest.Claim(10+i))
	}
	sum := sha256.Sum256(message)
	for i := uint32(0); i < again; i++ {
		sum = sha256.Sum256(sum[:])
	}
	println("sha256", hex.EncodeToString(sum[:]))
	if sum != want {
		println("the claim says", hex.EncodeToString(want[:]))
		os.Exit(1)
	}
}
