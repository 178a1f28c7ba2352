// Package guest is what a Go program needs to run in the Tapestry zkVM.
//
// The compiler, the linker and the runtime are the stock ones, and a program
// need not import this package to run. It brings the system calls that Linux does
// not have: claim words ([Claim]) and preimages of BLAKE3 ([HintBlake3]) and
// SHA-256 ([HintSha256], [Sha256Message]). There is no other input: files cannot
// be opened, and time moves only by the program's own calls.
//
// A program accepts its claim by ending with exit code 0 (returning from
// main); any other end rejects it.
package guest
