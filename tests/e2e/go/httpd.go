// SPDX-License-Identifier: MIT

// A net/http server and its own clients: 200 requests by 50 goroutines.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

func main() {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println("listen", err)
		os.Exit(1)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d", r.URL.Path, len(b))
	})
	go http.Serve(l, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for g := 0; g < 50; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := 0; i < 4; i++ {
				u := fmt.Sprintf("http://%s/%d/%d", l.Addr(), g, i)
				r, err := http.Post(u, "text/plain", strings.NewReader(strings.Repeat("x", g*1000)))
				if err != nil {
					fmt.Println("post", err)
					return
				}
				b, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if string(b) == fmt.Sprintf("/%d/%d %d", g, i, g*1000) {
					mu.Lock()
					good++
					mu.Unlock()
				}
			}
		}(g)
	}
	wg.Wait()
	fmt.Println("good answers:", good)
	os.Exit(3)
}
