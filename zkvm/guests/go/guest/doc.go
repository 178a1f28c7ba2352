// Package guest is what a Go program needs to run in the Tapestry zkVM.
//
// The compiler, the linker and the runtime are the stock ones. Two things
// differ from a Linux program:
//
//   - The zkVM has one thread. The stock start-up (runtime.main) needs at least
//     two: it locks the main goroutine to its thread and then waits for
//     goroutines that only another thread can run. This package brings an entry
//     point of its own, `_rt0_tapestry`, selected with
//     `-ldflags=-E=_rt0_tapestry`; it performs the same steps on one thread, the
//     garbage collector included. The linked program also runs on a real Linux
//     kernel, for instance under qemu-mips.
//   - System calls never write memory, so there is no input but claim words
//     ([Claim]) and BLAKE3 preimages ([HintBlake3]), and no clock: time.Now is
//     meaningless and nothing may sleep.
//
// A program accepts its claim by ending with exit code 0 (returning from
// main); any other end rejects it.
package guest
