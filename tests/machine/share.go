// SPDX-License-Identifier: GPL-2.0-only OR MIT

// share: as share.c, in Go, with many threads, and a child without an environment.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"
)

type alloc struct {
	domid, flags uint16
	count        uint32
	index        uint64
	ref, pad     uint32
}

type grant struct {
	count, pad uint32
	index      uint64
	domid, ref uint32
}

func must(err error) {
	if err != nil {
		fmt.Println("share:", err)
		os.Exit(1)
	}
}

func open(name string) *os.File {
	file, err := os.OpenFile("/dev/xen/"+name, os.O_RDWR, 0)
	must(err)
	return file
}

func request(file *os.File, number uintptr, argument unsafe.Pointer) {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), number, uintptr(argument))
	if errno != 0 {
		must(errno)
	}
}

func memory(file *os.File, index uint64) []byte {
	bytes, err := syscall.Mmap(int(file.Fd()), int64(index), 4096,
		syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	must(err)
	return bytes
}

func manyOpen() {
	var all sync.WaitGroup
	for i := 0; i < 40; i++ {
		all.Add(1)
		go func() {
			for j := 0; j < 50; j++ {
				open("evtchn").Close()
			}
			all.Done()
		}()
	}
	all.Wait()
}

func main() {
	if len(os.Args) > 1 {
		open("gntdev")
		return
	}
	granter, mapper := open("gntalloc"), open("gntdev")
	a := alloc{flags: 1, count: 1}
	request(granter, 0x184705, unsafe.Pointer(&a))
	granted := memory(granter, a.index)
	granted[5] = 77
	g := grant{count: 1, ref: a.ref}
	request(mapper, 0x184700, unsafe.Pointer(&g))
	mapped := memory(mapper, g.index)
	if mapped[5] != 77 {
		must(fmt.Errorf("the other side's byte is %d", mapped[5]))
	}
	must(syscall.Munmap(mapped))
	manyOpen()
	self, err := os.Executable()
	must(err)
	child := exec.Command(self, "child")
	child.Env = []string{}
	child.Stdout = os.Stdout
	must(child.Run())
	fmt.Println("shared")
}
