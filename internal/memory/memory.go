// Package memory knows how much memory the process may use, which pictures and the garbage collector are measured by.
package memory

import (
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// goShare is what Go may take of the memory there is. The rest is for what Go does not see: ONNX Runtime's weights and
// arenas, and the pages of files that are mapped.
const goShare = 0.6

// unknown is assumed where neither the container nor the machine tells.
const unknown = 4 << 30

// Limit is the memory of the container (cgroup v1 or v2) or of the machine, whichever is less, in bytes.
var Limit = sync.OnceValue(func() int64 {
	least := uint64(1 << 62)
	for _, of := range []memlimit.Provider{memlimit.FromCgroup, memlimit.FromSystem} {
		if bytes, err := of(); err == nil && bytes > 0 {
			least = min(least, bytes)
		}
	}
	if least == 1<<62 {
		return unknown
	}
	return int64(least)
})

// Govern sets Go's soft limit of memory to its share of Limit, so that the collector works harder before the kernel
// ends the process. The environment's GOMEMLIMIT goes before.
func Govern() error {
	_, err := memlimit.Set(memlimit.WithRatio(goShare), memlimit.WithProvider(memlimit.Limit(uint64(Limit()))))
	return err
}
