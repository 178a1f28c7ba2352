package guest

// sha256Initial is the chaining value before the first block of a message.
var sha256Initial = [32]byte{
	0x6a, 0x09, 0xe6, 0x67, 0xbb, 0x67, 0xae, 0x85, 0x3c, 0x6e, 0xf3, 0x72, 0xa5, 0x4f, 0xf5, 0x3a,
	0x51, 0x0e, 0x52, 0x7f, 0x9b, 0x05, 0x68, 0x8c, 0x1f, 0x83, 0xd9, 0xab, 0x5b, 0xe0, 0xcd, 0x19,
}

// HintSha256 returns what SHA-256's compression function maps to key: the
// chaining value and the block. The machine guarantees it: a run that does not
// know them stops and decides nothing. Where a message starts and ends is for
// the caller to check; see [Sha256Message].
func HintSha256(key [32]byte) (chaining [32]byte, block [64]byte) {
	var link [96]byte
	hint(sysHintSha256, key, link[:])
	copy(chaining[:], link[:32])
	copy(block[:], link[32:])
	return chaining, block
}

// Sha256Message returns the message whose SHA-256 is digest, read from its last
// block to its first. It is not ok if no message of at most most bytes has that
// digest: the padding is not the standard's, or the blocks that it counts do not
// lead back to the standard's start.
func Sha256Message(digest [32]byte, most uint32) (message []byte, ok bool) {
	key, block := HintSha256(digest)
	bits := uint64(0)
	for _, b := range block[56:] {
		bits = bits<<8 | uint64(b)
	}
	if bits%8 != 0 || bits/8 > uint64(most) {
		return nil, false
	}
	length := bits / 8
	blocks := (length + 9 + 63) / 64
	padded := make([]byte, 64*blocks)
	copy(padded[64*(blocks-1):], block[:])
	for i := int(blocks) - 2; i >= 0; i-- {
		key, block = HintSha256(key)
		copy(padded[64*i:], block[:])
	}
	if key != sha256Initial || padded[length] != 0x80 {
		return nil, false
	}
	for _, zero := range padded[length+1 : 64*blocks-8] {
		if zero != 0 {
			return nil, false
		}
	}
	return padded[:length], true
}
