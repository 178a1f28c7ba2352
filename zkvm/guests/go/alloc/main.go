// Command alloc exercises the Go runtime where the zkVM differs most from Linux:
// goroutines and channels, a mutex under contention, timers, maps and slices
// under garbage-collector pressure, panics that are recovered, and fmt.
// It reads no claim, so it prints the same text on a Linux kernel.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"
)

// node is one node of a binary tree that is built, summed and dropped; its
// ballast makes the collector run often without many steps.
type node struct {
	left, right *node
	value       int
	ballast     [125]byte
}

func build(depth, value int) *node {
	if depth == 0 {
		return &node{value: value}
	}
	return &node{left: build(depth-1, 2*value), right: build(depth-1, 2*value+1), value: value}
}

func (n *node) sum() int {
	if n == nil {
		return 0
	}
	return n.value + n.left.sum() + n.right.sum()
}

// divide turns the runtime's panic into an error.
func divide(a, b int) (q int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered: %v", r)
		}
	}()
	return a / b, nil
}

func main() {
	// Maps with string keys, growth and deletion.
	words := map[string]int{}
	for i := 0; i < 3000; i++ {
		words[fmt.Sprintf("w%d", i*i%977)]++
	}
	for i := 0; i < 977; i += 3 {
		delete(words, fmt.Sprintf("w%d", i))
	}
	keys := make([]string, 0, len(words))
	for k := range words {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	fmt.Println("map:", len(keys), keys[:4], words[keys[0]])

	// Goroutines, channels and a mutex.
	var wg sync.WaitGroup
	var mu sync.Mutex
	results := make(chan int)
	total := 0
	for w := 0; w < 16; w++ {
		wg.Add(1)
		go func(w int) {
			defer wg.Done()
			for i := 0; i < 50; i++ {
				mu.Lock()
				total += w * i
				mu.Unlock()
				if i%10 == 0 {
					runtime.Gosched()
				}
			}
			results <- w * w
		}(w)
	}
	squares := 0
	for w := 0; w < 16; w++ {
		squares += <-results
	}
	wg.Wait()
	fmt.Println("goroutines:", squares, total)

	// Timers: the shorter one fires first, and a sleep takes its time.
	start := time.Now()
	first := ""
	select {
	case <-time.After(50 * time.Millisecond):
		first = "long"
	case <-time.After(5 * time.Millisecond):
		first = "short"
	}
	time.Sleep(20 * time.Millisecond)
	fmt.Println("timers:", first, time.Since(start) >= 25*time.Millisecond)

	// Garbage: trees that die at once beside one that lives.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	keep := build(10, 1)
	sum := 0
	for i := 0; i < 60; i++ {
		sum += build(10, i).sum() & 0xffff
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	fmt.Println("trees:", sum, keep.sum(), "collected:", after.NumGC > before.NumGC+1)
	if after.HeapAlloc > 8<<20 {
		fmt.Println("the heap was not collected")
		os.Exit(1)
	}

	// Deep recursion grows the stack by copying it.
	var deep func(n int) int
	deep = func(n int) int {
		if n == 0 {
			return 0
		}
		return 1 + deep(n-1)
	}
	fmt.Println("stack:", deep(20000))

	_, err := divide(1, len(keys)-len(keys))
	var nothing *node
	func() {
		defer func() { fmt.Println("nil:", recover() != nil) }()
		if len(keys) == 0 { // never: a nil access ends the run in the zkVM
			fmt.Println(nothing.value)
		}
		panic("expected")
	}()
	fmt.Println("panic:", err)
	fmt.Printf("fmt: %08x %+d %q %v %6.3f %e\n", 0xbeef, 42, "text", []int{1, 2, 3}, 3.14159, 1e-7)
	fmt.Println(strings.Repeat("ok ", 3))
}
