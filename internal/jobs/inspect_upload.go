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

// Inspect does an inspection's work and ends the process, if the process was started as an inspection (see inspectCommand); else it
// returns at once. Programs that make a Models call it first in main.
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
	if len(args) != 3 {
		return fmt.Errorf("it is run by the studio itself, as %s BYTES SECONDS FILE", inspectCommand)
	}
	memory, err1 := strconv.ParseInt(args[0], 10, 64)
	seconds, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if err := confine(limits{memory: memory, time: time.Duration(seconds) * time.Second}); err != nil {
		return fmt.Errorf("limiting itself: %w", err)
	}
	if dir, err := os.Getwd(); err == nil { // no file can be made in a removed folder, so that none is left behind
		_ = os.Remove(dir)
	}
	debug.SetMemoryLimit(memory / 4 * 3) // the rest is for ONNX Runtime, whose memory Go's collector does not see
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	input := bufio.NewReader(in)
	asked, err := readRequest(input)
	if err != nil {
		return fmt.Errorf("reading what is asked: %w", err)
	}
	asked.File = args[2]
	go func() { // the input ends when the studio ends, also if that was killed; so does this process
		_, _ = io.Copy(io.Discard, input)
		os.Exit(1)
	}()
	if asked.Do != doJoin && asked.Do != doHome { // those two do not need the runtime
		if err := ort.Init(""); err != nil {
			return json.NewEncoder(out).Encode(verdict{Fault: err.Error()})
		}
	}
	var found annotator.ModelFile
	switch asked.Do {
	case doInspect:
		found, err = inspectFile(context.Background(), asked.File, asked.Manifest, asked.Names)
	case doTry:
		err = tryFile(context.Background(), asked.File, asked.Manifest, asked.RunLimit)
	case doSegment:
		return trySegmenter(context.Background(), asked, out)
	case doJoin:
		return joinFiles(context.Background(), asked.File, asked.Sent, out)
	case doHome:
		return bringHome(context.Background(), asked, out)
	default:
		err = fmt.Errorf("%q is asked, which it does not do", asked.Do)
	}
	var wrong *annotator.ValidationError
	switch {
	case errors.As(err, &wrong):
		if (asked.Do == doTry || strings.HasPrefix(wrong.Message, cannotOpen)) && mentions(wrong.Message, noMemory...) {
			return err // runConfined finds the words on standard error and names the limit
		}
		return json.NewEncoder(out).Encode(verdict{Refused: wrong.Message, Parts: errors.Is(err, annotator.ErrParts)})
	case err != nil:
		return json.NewEncoder(out).Encode(verdict{Fault: err.Error()})
	}
	return json.NewEncoder(out).Encode(verdict{File: &found})
}

// tryFile runs the model that a file holds, each pass within runLimit.
func tryFile(ctx context.Context, path string, stored []byte, runLimit time.Duration) error {
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
	if _, err := checkModel(ctx, opened, runLimit); err != nil {
		return wrongModel("%v", err)
	}
	return nil
}

// joinFiles writes a verdict and, where that is a good one, the model and its data as one file.
func joinFiles(ctx context.Context, path string, sent []onnx.SentFile, out io.Writer) error {
	refuse := func(err error) error {
		if mentions(err.Error(), noMemory...) {
			return err // runConfined finds the words on standard error and names the limit
		}
		return json.NewEncoder(out).Encode(verdict{Refused: err.Error()})
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return json.NewEncoder(out).Encode(verdict{Fault: err.Error()})
	}
	model, err := onnx.ReadSent(ctx, data, sent)
	switch {
	case errors.Is(err, onnx.ErrExternal), errors.Is(err, onnx.ErrTooLarge):
		return refuse(err)
	case err != nil:
		return refuse(noONNX(err))
	}
	whole, err := model.Marshal()
	if err != nil {
		return refuse(err)
	}
	v := verdict{}
	for _, s := range model.Sources() {
		v.Data = append(v.Data, annotator.ModelData{Name: s.Location, Bytes: s.Bytes})
	}
	if err := json.NewEncoder(out).Encode(v); err != nil {
		return err
	}
	_, err = out.Write(whole)
	return err
}

// readRequest reads a line with the request's length, and the request.
func readRequest(r *bufio.Reader) (asked request, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return asked, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return asked, err
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return asked, err
	}
	return asked, json.Unmarshal(text, &asked)
}
