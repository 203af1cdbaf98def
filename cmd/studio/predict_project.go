package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/durable"
)

// projectPredictions are the flags of predict for what a project's scan found.
type projectPredictions struct {
	storageFlags
	Project string `placeholder:"SLUG" xor:"pictures" help:"Write what a version of this project says of its images, in place of running a model."`
}

// writeProject writes the predictions that a project has.
func (c *predictCommand) writeProject(ctx context.Context, streams *stdio) error {
	filter := annotator.ExportFilter{}
	if c.Model != "" {
		n, err := strconv.Atoi(c.Model)
		if err != nil || n < 1 {
			return fmt.Errorf("--model %s: with --project it is the number of a version, such as 2", c.Model)
		}
		filter.Version = n
	}
	if c.Scores == scoresLogits {
		return errors.New("--scores logits: a project keeps probabilities, no logits; download the version, and predict with --model FILE --images DIR")
	}
	if c.Split != "" {
		split, ok := dataset.SplitName(c.Split)
		if !ok {
			return fmt.Errorf("%q is no split: use train, validation, test or pool", c.Split)
		}
		filter.Splits = []annotator.Split{annotator.Split(split)}
	}
	if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, nil); err != nil {
		return err
	}
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		project, err := projectNamed(ctx, service, c.Project)
		if err != nil {
			return err
		}
		p := predictor{}
		for _, class := range project.Classes {
			p.names = append(p.names, class.Key)
		}
		p.summary.Splits, p.summary.Broken, p.summary.Out = map[string]*accuracy{}, []brokenImage{}, c.Out
		start := time.Now()
		if err := durable.Write(c.Out, func(w io.Writer) error { return c.writePredictions(ctx, service, &p, filter, w) }); err != nil {
			return fmt.Errorf("writing %s: %w", c.Out, err)
		}
		if p.summary.Images == 0 {
			fmt.Fprintln(streams.Err, "No image has been scanned by this version yet: a running 'studio serve' or 'studio worker' does that.")
		}
		p.summary.PerSecond = float64(p.summary.Images) / time.Since(start).Seconds()
		p.summary.finish()
		for _, a := range p.summary.Splits {
			a.finish()
		}
		if c.JSON {
			return printJSON(streams.Out, p.summary)
		}
		p.summary.print(streams.Out)
		return nil
	})
}

func (c *predictCommand) writePredictions(ctx context.Context, service *annotator.Service, p *predictor, filter annotator.ExportFilter, w io.Writer) (err error) {
	defer func() {
		if p.answers != nil {
			err = errors.Join(err, p.answers.close())
		}
	}()
	begin := func(rows, columns int) (err error) {
		p.answers, err = newAnswerFile(c.Out, c.Scores, p.names, inference.Sizes{Classes: len(p.names), GridHeight: rows, GridWidth: columns}, w)
		return err
	}
	for found, err := range service.ExportPredictions(ctx, annotator.System, c.Project, filter) {
		if err != nil {
			return err
		}
		if p.answers == nil {
			if err := begin(found.Rows, found.Columns); err != nil {
				return err
			}
		}
		p.pictures = []dataset.Sample{{Name: found.Image, Split: found.Split, Class: found.Class}}
		result := inference.ScanResult{
			Class: slices.Index(p.names, found.Predicted), Confidence: found.Confidence, AttClass: slices.Index(p.names, found.AttentionClass), Probabilities: found.Probabilities,
			Map: attention.Map{Height: found.Rows, Width: found.Columns, Values: found.Values},
		}
		if err := p.write(ctx, []inference.ScanResult{result}); err != nil {
			return err
		}
	}
	if p.answers == nil {
		if err := begin(1, 1); err != nil {
			return err
		}
	}
	return p.answers.finish()
}
