// Command operators writes docs/operators.md: what the studio makes of each ONNX operator, asked of the code that does it, and the
// exported networks that the tests cover. `make generate` runs it from the top folder.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	page, err := page(".")
	if err == nil {
		err = os.WriteFile(filepath.Join("docs", "operators.md"), page, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "operators:", err)
		os.Exit(1)
	}
}
