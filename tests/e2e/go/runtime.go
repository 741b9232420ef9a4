// SPDX-License-Identifier: MIT

// Goroutines by the thousand, garbage collection, preemption of a busy loop,
// nil dereference turned into a panic, timers, child processes.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

type node struct {
	next *node
	pad  [64]byte
}

func nilDeref() (s string) {
	defer func() { s = fmt.Sprint(recover() != nil) }()
	var n *node
	n.next = nil
	return "none"
}

func main() {
	var wg sync.WaitGroup
	ch := make(chan int, 10)
	for i := 0; i < 3000; i++ {
		wg.Add(1)
		go func(i int) { defer wg.Done(); ch <- i }(i)
	}
	go func() { wg.Wait(); close(ch) }()
	sum := 0
	for v := range ch {
		sum += v
	}
	fmt.Println("sum", sum)
	fmt.Println("nil dereference recovered:", nilDeref())
	var keep []*node
	for i := 0; i < 300000; i++ {
		n := new(node)
		if i%100 == 0 {
			keep = append(keep, n)
		}
	}
	runtime.GC()
	fmt.Println("kept", len(keep))
	runtime.GOMAXPROCS(1)
	stop := false
	go func() {
		for x := 0; !stop; x++ {
		}
	}()
	time.Sleep(50 * time.Millisecond)
	runtime.GC() // needs the busy goroutine to be preempted by a signal
	fmt.Println("preempted")
	select {
	case <-time.After(20 * time.Millisecond):
		fmt.Println("timer")
	}
	out, err := exec.Command("sh", "-c", "echo sub; exit 4").Output()
	fmt.Printf("%q %v\n", out, err)
	os.Exit(5)
}
