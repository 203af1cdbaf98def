package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// modelAddCommand checks an ABN and makes it a version of a project.
type modelAddCommand struct {
	storageFlags
	partFlags
	File     string `arg:"" type:"existingfile" help:"The ABN, an ONNX file, with its manifest beside it."`
	Project  string `required:"" placeholder:"SLUG" help:"The project."`
	Activate bool   `help:"Make it the active version at once (the first one always is)."`
	NoScan   bool   `help:"Do not predict the project's images with it yet."`
	JSON     bool   `name:"json" help:"Print the version as one JSON document."`
}

// Run adds the model and queues its scan.
func (c *modelAddCommand) Run(ctx context.Context, streams *stdio) (err error) {
	model, file, err := onnx.Load(ctx, c.File)
	if err != nil {
		return err
	}
	manifest, err := manifest.Load(c.File, model.MetadataValue)
	if err != nil {
		return err
	}
	if err := ort.Init(""); err != nil {
		return err
	}
	log := warnings(streams.Err)
	s, err := c.open(ctx, log, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	service := s.service(log)
	project, err := projectNamed(ctx, service, c.Project)
	if err != nil {
		return err
	}
	preprocessing, err := json.Marshal(c.over(manifest))
	if err != nil {
		return err
	}
	version, err := service.AddModel(ctx, annotator.System, c.Project, annotator.ModelToAdd{
		Name: filepath.Base(c.File), File: file, Manifest: preprocessing, Activate: c.Activate, NoScan: c.NoScan,
	})
	if err != nil {
		return err
	}
	tellWarnings(streams.Err, c.File, version.Warnings)
	if c.JSON {
		return json.NewEncoder(verbatim(streams.Out)).Encode(version)
	}
	fmt.Fprintf(streams.Out, "%s is v%d of %s (%s): map %d×%d, %d parameters\n", c.File, version.Number, project.Name, version.State,
		version.GridHeight, version.GridWidth, version.Parameters)
	if !c.NoScan {
		fmt.Fprintln(streams.Out, "Its scan is queued: a running 'studio serve' or 'studio worker' predicts the project's images.")
	}
	return nil
}
