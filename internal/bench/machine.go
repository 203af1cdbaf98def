package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// machine is the processor's name, what it can do in one instruction, and how many of its cores may be used.
func machine() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // Linux's
	name := processorName(string(text))
	switch {
	case cpu.X86.HasAVX512F:
		name += ", AVX-512"
	case cpu.X86.HasAVX2:
		name += ", AVX2"
	}
	return fmt.Sprintf("%s, %d cores", name, runtime.GOMAXPROCS(0))
}

// processorName is the name in Linux's description of processors, else the architecture's.
func processorName(description string) string {
	for line := range strings.Lines(description) {
		if key, name, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return runtime.GOARCH
}

// load is the machine's load average of the last minute, or "" where the system does not tell.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	one, _, _ := strings.Cut(string(raw), " ")
	return one
}
