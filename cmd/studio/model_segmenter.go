package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// modelSegmenterCommand shows, sets or removes the studio's interactive segmenter.
type modelSegmenterCommand struct {
	storageFlags
	Encoder string                    `arg:"" optional:"" type:"existingfile" help:"The image encoder of SAM, MobileSAM or EfficientSAM, an ONNX file. Without files the present segmenter is shown."`
	Decoder string                    `arg:"" optional:"" type:"existingfile" help:"Its prompt encoder and mask decoder, an ONNX file of the same export."`
	Pixels  annotator.SegmenterPixels `placeholder:"WAY" help:"How the encoder takes pixels where its graph does not tell: normalised, 0-255 or 0-1."`
	Remove  bool                      `help:"Leave the studio without a segmenter."`
	JSON    bool                      `name:"json" help:"Print the segmenter as one JSON document."`
}

// Run does what is asked.
func (c *modelSegmenterCommand) Run(ctx context.Context, streams *stdio) (err error) {
	switch {
	case c.Encoder != "" && c.Decoder == "":
		return errors.New("a segmenter is two files: give its decoder as well")
	case c.Encoder != "" && c.Remove:
		return errors.New("--remove takes no files")
	case c.Encoder != "":
		if err := ort.Init(""); err != nil {
			return err
		}
	}
	log := warnings(streams.Err)
	s, err := c.open(ctx, log, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	service := s.service(log)
	if c.Remove {
		if err := service.RemoveSegmenter(ctx, annotator.System); err != nil {
			return err
		}
		if !c.JSON {
			fmt.Fprintln(streams.Out, "Removed.")
		}
		return nil
	}
	var found annotator.Segmenter
	if c.Encoder == "" {
		if found, err = service.Segmenter(ctx, annotator.System); errors.Is(err, annotator.ErrNotFound) {
			return errors.New("the studio has no segmenter: studio model segmenter ENCODER DECODER adds one")
		}
	} else {
		found, err = c.add(ctx, service)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(verbatim(streams.Out)).Encode(found)
	}
	fmt.Fprintf(streams.Out, "%s: %s, pixels %s, encoder %.12s (%d bytes), decoder %.12s (%d bytes)\n",
		found.Name, found.Kind.Name(), found.Pixels, found.EncoderHash, found.EncoderBytes, found.DecoderHash, found.DecoderBytes)
	return nil
}

func (c *modelSegmenterCommand) add(ctx context.Context, service *annotator.Service) (annotator.Segmenter, error) {
	_, encoder, err := onnx.Load(ctx, c.Encoder)
	if err != nil {
		return annotator.Segmenter{}, err
	}
	_, decoder, err := onnx.Load(ctx, c.Decoder)
	if err != nil {
		return annotator.Segmenter{}, err
	}
	return service.AddSegmenter(ctx, annotator.System, annotator.SegmenterToAdd{Name: filepath.Base(c.Encoder), Encoder: encoder, Decoder: decoder, Pixels: c.Pixels})
}
