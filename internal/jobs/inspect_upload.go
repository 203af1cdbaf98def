package jobs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// Inspect does the work of an inspection and ends the process, where that was started as one (see inspectCommand). Programs
// that make a Models call it before anything else.
func Inspect() {
	if len(os.Args) < 2 || os.Args[1] != inspectCommand {
		return
	}
	if err := inspectUpload(os.Args[2:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "studio "+inspectCommand+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// inspectUpload looks at the file that the arguments name and writes what it is.
func inspectUpload(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 4 {
		return fmt.Errorf("it is run by the studio itself, as %s BYTES SECONDS FILE TRIAL", inspectCommand)
	}
	memory, err1 := strconv.ParseInt(args[0], 10, 64)
	seconds, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if err := confine(limits{memory: memory, time: time.Duration(seconds) * time.Second}); err != nil {
		return fmt.Errorf("limiting itself: %w", err)
	}
	if dir, err := os.Getwd(); err == nil { // nothing can be put into a folder that is gone, and nothing is left of it
		_ = os.Remove(dir)
	}
	debug.SetMemoryLimit(memory / 4 * 3) // what the runtime takes is not the collector's to know
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	input := bufio.NewReader(in)
	manifest, err := readManifest(input)
	if err != nil {
		return fmt.Errorf("reading the manifest: %w", err)
	}
	go func() { // the input ends with the studio, however that ends
		_, _ = io.Copy(io.Discard, input)
		os.Exit(1)
	}()
	if err := ort.Init(""); err != nil {
		return json.NewEncoder(out).Encode(verdict{Fault: err.Error()})
	}
	var found annotator.ModelFile
	trial := args[3] != "" // of what was inspected before
	if trial {
		err = tryFile(context.Background(), args[2], manifest, args[3])
	} else {
		found, err = inspectFile(context.Background(), args[2], manifest)
	}
	var wrong *annotator.ValidationError
	switch {
	case errors.As(err, &wrong):
		if (trial || strings.HasPrefix(wrong.Message, cannotOpen)) && mentions(wrong.Message, noMemory...) {
			return err // which is told as what it is
		}
		return json.NewEncoder(out).Encode(verdict{Refused: wrong.Message})
	case err != nil:
		return json.NewEncoder(out).Encode(verdict{Fault: err.Error()})
	}
	return json.NewEncoder(out).Encode(verdict{File: &found})
}

// tryFile runs the model that a file holds, each pass within runLimit.
func tryFile(ctx context.Context, path string, stored []byte, runLimit string) error {
	limit, err := time.ParseDuration(runLimit)
	if err != nil {
		return err
	}
	m, err := manifest.Stored(stored)
	if err != nil {
		return wrongModel("%v", err)
	}
	model, err := onnx.ReadWhole(ctx, path)
	if err != nil {
		return err
	}
	opened, err := network.Open(ctx, model, m)
	if err != nil {
		return wrongModel("%v", err)
	}
	if _, err := checkModel(ctx, opened, limit); err != nil {
		return wrongModel("%v", err)
	}
	return nil
}

// readManifest reads a line with the manifest's length, and the manifest; nil where that has none.
func readManifest(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || n == 0 {
		return nil, err
	}
	manifest := make([]byte, n)
	_, err = io.ReadFull(r, manifest)
	return manifest, err
}
