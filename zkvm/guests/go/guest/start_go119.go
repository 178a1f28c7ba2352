//go:build linux && mips && go1.19 && !go1.21

package guest

import (
	"runtime"
	_ "unsafe" // for go:linkname
)

// What runtime.main uses, by its own names.

type initTask struct{ state, ndeps, nfns uintptr }

//go:linkname runtimeInitTask runtime..inittask
var runtimeInitTask initTask

//go:linkname mainInitTask main..inittask
var mainInitTask initTask

//go:linkname doInit runtime.doInit
func doInit(t *initTask)

//go:linkname gcenable runtime.gcenable
func gcenable()

//go:linkname gcBgMarkWorker runtime.gcBgMarkWorker
func gcBgMarkWorker()

//go:linkname gcBgMarkWorkerCount runtime.gcBgMarkWorkerCount
var gcBgMarkWorkerCount int32

// scavenger is the head of the runtime's scavengerState: a lock, the goroutine,
// and whether it waits to be woken.
//
//go:linkname scavenger runtime.scavenger
var scavenger struct {
	lock, g uintptr
	parked  bool
}

//go:linkname maxstacksize runtime.maxstacksize
var maxstacksize uintptr

//go:linkname maxstackceiling runtime.maxstackceiling
var maxstackceiling uintptr

//go:linkname runtimeInitTime runtime.runtimeInitTime
var runtimeInitTime int64

//go:linkname mainMain main.main
func mainMain()

//go:linkname exit runtime.exit
func exit(code int32)

// start is the first goroutine. It does what runtime.main does, except that it
// starts no monitor thread, is not locked to its thread (so that the goroutines
// that it waits for can run on it), and starts the one background worker of the
// garbage collector itself: the runtime would start it in the first collection
// and wait for it in a way that needs a second thread.
func start() {
	maxstacksize = 250000000
	maxstackceiling = 2 * maxstacksize
	runtimeInitTime = 1 // any constant: there is no clock

	doInit(&runtimeInitTask)
	if runtime.GOMAXPROCS(1) != 1 {
		// On a kernel that offers more processors: those beside the first
		// are given up before anything could have run on them.
		runtime.Gosched()
	}
	go gcBgMarkWorker()
	runtime.Gosched() // it runs until it waits for work
	gcBgMarkWorkerCount = 1
	gcenable()
	// The goroutine that gives freed pages back to the kernel waits by now. It is
	// never to wake: between batches it would sleep, and there is no clock.
	scavenger.parked = false
	doInit(&mainInitTask)
	mainMain()
	exit(0)
}
