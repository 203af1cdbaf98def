//go:build amd64 && (linux || darwin)

package blocked

// #cgo CFLAGS: -O3 -Wall -I${SRCDIR}/../../../third_party/onnxruntime
// #cgo LDFLAGS: -lm
// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "operators.h"
import "C"

import (
	"errors"
	"sync"
	"unsafe"
)

// adding guards what operators.c keeps: the runtime's interface and the operators' domain.
var adding sync.Mutex

// Supported reports whether this processor runs the operators over blocks of so many channels.
func Supported(block int64) bool { return C.operators_supported(C.int(block)) != 0 }

// Add makes sessions opened with options, an OrtSessionOptions*, know the operators under a domain's name, the same in all
// calls. library is the path that the runtime was loaded from.
func Add(library, domain string, options unsafe.Pointer) error {
	adding.Lock()
	defer adding.Unlock()
	path, name := C.CString(library), C.CString(domain)
	defer C.free(unsafe.Pointer(path))
	defer C.free(unsafe.Pointer(name))
	problem := C.operators_add(path, name, options)
	if problem == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(problem))
	return errors.New(C.GoString(problem))
}
