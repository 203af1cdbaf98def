package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/onnx"
)

// segmenterRunPixels is what running a segmenter once takes, as limits.ofTrial counts it: SAM's encoder of 1024² pixels with its
// attention over all of them takes two gigabytes.
const segmenterRunPixels = 1 << 20

// ReceiveSegmenter implements annotator.Segmenters. The files are tried in a child process, as an uploaded model is.
func (m *Models) ReceiveSegmenter(ctx context.Context, next func() (annotator.SentFile, error)) (none annotator.Segmenter, err error) {
	if _, err := disk.SweepTemporary(m.dir); err != nil {
		return none, fmt.Errorf("receiving a segmenter: %w", err)
	}
	encoder, decoder := &incoming{models: m}, &incoming{models: m}
	defer encoder.remove()
	defer decoder.remove()
	var pixels annotator.SegmenterPixels
	for {
		file, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			switch as := (annotator.SentFile{Kind: annotator.SentModel, Name: file.Name, Reader: file.Reader}); file.Kind {
			case annotator.SentEncoder:
				err = of("encoder", encoder.take(as))
			case annotator.SentDecoder:
				err = of("decoder", decoder.take(as))
			case annotator.SentPixels:
				pixels, err = annotator.ReadSegmenterPixels(file)
			default: // data, which is of either graph
				if err = of("data", encoder.take(file)); err == nil {
					decoder.data = append(decoder.data, encoder.data[len(encoder.data)-1])
				}
			}
		}
		if err != nil {
			return none, err
		}
	}
	for _, graph := range []struct {
		field string
		*incoming
	}{{"encoder", encoder}, {"decoder", decoder}} {
		if graph.model == nil {
			return none, &annotator.ValidationError{Field: graph.field, Message: "no file was sent: a segmenter is an encoder and a decoder, two ONNX files"}
		}
		if len(graph.data) > 0 {
			graph.bytes = graph.own + encoder.bytes // what the child may have to read
			if err := of(graph.field, graph.join(ctx)); err != nil {
				return none, err
			}
		}
	}
	limits := inspectionLimits(encoder.bytes+decoder.bytes).ofTrial(0, segmenterRunPixels)
	release, err := m.room(ctx, limits)
	if err != nil {
		return none, err
	}
	defer release()
	v, err := runForVerdict(ctx, request{Do: doSegment, File: encoder.model.Name(), Decoder: decoder.model.Name(), Pixels: pixels}, limits)
	if err == nil && v.Segmenter == nil {
		err = v.problem()
	}
	if err != nil {
		return none, of("encoder", err)
	}
	found := *v.Segmenter
	found.Name = path.Base("/" + strings.ReplaceAll(encoder.name, `\`, "/"))
	for _, file := range []*incoming{encoder, decoder} {
		if _, err := file.model.Seek(0, io.SeekStart); err != nil {
			return none, fmt.Errorf("receiving a segmenter: %w", err)
		}
	}
	return m.keepSegmenter(ctx, found, encoder.model, decoder.model)
}

// of says of which file of a segmenter an error is that was said of a model.
func of(field string, err error) error {
	var wrong *annotator.ValidationError
	switch {
	case errors.As(err, &wrong) && wrong.Field == "model":
		return &annotator.ValidationError{Field: field, Message: wrong.Message}
	case errors.Is(err, annotator.ErrTooLarge):
		return fmt.Errorf("%w: the %s is beyond what is taken: %s", annotator.ErrTooLarge, field, annotator.LargerSegmenters)
	}
	return err
}

// TrySegmenter implements annotator.Segmenters.
func (m *Models) TrySegmenter(ctx context.Context, add annotator.SegmenterToAdd) (none annotator.Segmenter, err error) {
	encoder, err := onnx.Read(ctx, add.Encoder)
	if err != nil {
		return none, fmt.Errorf("the encoder: %w", err)
	}
	decoder, err := onnx.Read(ctx, add.Decoder)
	if err != nil {
		return none, fmt.Errorf("the decoder: %w", err)
	}
	found, err := triedSegmenter(ctx, encoder, decoder, add.Pixels, 0)
	if err != nil {
		return none, err
	}
	found.Name = add.Name
	return m.keepSegmenter(ctx, found, bytes.NewReader(add.Encoder), bytes.NewReader(add.Decoder))
}

func (m *Models) keepSegmenter(ctx context.Context, s annotator.Segmenter, encoder, decoder io.Reader) (_ annotator.Segmenter, err error) {
	if s.EncoderHash, s.EncoderBytes, err = m.blobs.Put(ctx, encoder); err != nil {
		return annotator.Segmenter{}, err
	}
	s.DecoderHash, s.DecoderBytes, err = m.blobs.Put(ctx, decoder)
	return s, err
}

// triedSegmenter says what two graphs are once they have answered a click.
func triedSegmenter(ctx context.Context, encoder, decoder *onnx.Model, pixels annotator.SegmenterPixels, threads int) (annotator.Segmenter, error) {
	graphs, err := inference.ReadSegmenter(ctx, encoder, decoder, pixels)
	if err != nil {
		return annotator.Segmenter{}, err
	}
	return annotator.Segmenter{Kind: graphs.Kind, Pixels: graphs.Pixels}, inference.TrySegmenter(ctx, graphs, threads)
}

// trySegmenter is the child's part of ReceiveSegmenter.
func trySegmenter(ctx context.Context, asked request, out io.Writer) error {
	var graphs [2]*onnx.Model
	for i, file := range []struct{ field, path string }{{"encoder", asked.File}, {"decoder", asked.Decoder}} {
		data, err := os.ReadFile(file.path)
		if err != nil {
			return json.NewEncoder(out).Encode(verdict{Fault: err.Error()})
		}
		model, err := onnx.Read(ctx, data)
		refuse := func(format string, args ...any) error {
			return json.NewEncoder(out).Encode(verdict{Field: file.field, Refused: fmt.Sprintf(format, args...)})
		}
		switch {
		case errors.Is(err, onnx.ErrExternal):
			return refuse("%v. Send the file that holds it as well (data), or "+saveAsOne, err)
		case err != nil:
			return refuse("%v", noONNX(err))
		}
		graphs[i] = model
	}
	found, err := triedSegmenter(ctx, graphs[0], graphs[1], asked.Pixels, 1)
	if err != nil {
		if mentions(err.Error(), noMemory...) {
			return err // runConfined finds the words on standard error and names the limit
		}
		var wrong *annotator.ValidationError
		if errors.As(err, &wrong) {
			return json.NewEncoder(out).Encode(verdict{Field: wrong.Field, Refused: wrong.Message})
		}
		return json.NewEncoder(out).Encode(verdict{Fault: err.Error()})
	}
	return json.NewEncoder(out).Encode(verdict{Segmenter: &found})
}
