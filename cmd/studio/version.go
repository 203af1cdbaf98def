package main

import (
	"cmp"
	"fmt"
	"runtime"
)

// version is the release, or the commit, that the program was built from. The Makefile, .ci/release and the Dockerfile set it; "" in a
// plain go build.
var version string

// versionCommand prints which build this is, for bug reports.
type versionCommand struct{}

// Run prints one line.
func (versionCommand) Run(streams *stdio) error {
	_, err := fmt.Fprintf(streams.Out, "studio %s %s/%s %s\n", cmp.Or(version, "development"), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}
