package guest

import (
	"syscall"
	"unsafe"
)

// Numbers of the zkVM's own system calls.
const (
	sysClaim      = 9001
	sysHintBlake3 = 9002
	sysHintSha256 = 9003
)

// Claim returns claim word i. An index past the claim's end ends the run as
// rejected.
func Claim(i uint32) uint32 {
	word, _, errno := syscall.RawSyscall(sysClaim, uintptr(i), 0, 0)
	if errno != 0 {
		panic("guest: no claim words outside the zkVM")
	}
	return uint32(word)
}

// HintBlake3 returns the 64-byte message whose BLAKE3 digest is key. The machine
// guarantees it: a run that does not know the message stops and decides
// nothing.
func HintBlake3(key [32]byte) (message [64]byte) {
	hint(sysHintBlake3, key, message[:])
	return message
}

// hint fills words with what the machine knows of key.
func hint(number uintptr, key [32]byte, words []byte) {
	// The machine wants the key at a 32-byte aligned address.
	var room [64]byte
	at := (uintptr(unsafe.Pointer(&room)) + 31) &^ 31
	aligned := room[at-uintptr(unsafe.Pointer(&room)):]
	copy(aligned, key[:])
	for i := 0; i < len(words)/4; i++ {
		word, _, errno := syscall.RawSyscall(number, uintptr(unsafe.Pointer(&aligned[0])), uintptr(i), 0)
		if errno != 0 {
			panic("guest: no hints outside the zkVM")
		}
		words[4*i] = byte(word >> 24)
		words[4*i+1] = byte(word >> 16)
		words[4*i+2] = byte(word >> 8)
		words[4*i+3] = byte(word)
	}
}
