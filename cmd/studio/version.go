package main

import (
	"cmp"
	"fmt"
	"runtime"
)

// version is the release, or the commit, that the program was built from. The Makefile, .ci/release and the Dockerfile set it;
// a build by hand has none.
var version string

// versionCommand says which build this is: what a report of a fault begins with.
type versionCommand struct{}

// Run prints one line.
func (versionCommand) Run(streams *stdio) error {
	_, err := fmt.Fprintf(streams.Out, "studio %s %s/%s %s\n", cmp.Or(version, "development"), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}
