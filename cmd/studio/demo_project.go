package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/progress"
)

// The demo's project and the generator's name, as people meet them.
const (
	demoSlug        = "aviary"
	demoName        = "Aviary"
	demoDescription = "Fourteen birds in four landscapes. The network learned from pictures in which the landscape gives the bird away; the test pictures do not. Paint it onto the birds."
)

// jobPoll is the pause between two looks at a job under way.
const jobPoll = 200 * time.Millisecond

// demo fills the demo's project. Each step does nothing where it was done before, so that an interrupted
// start goes on with the next.
type demo struct {
	*storage
	seed  int64
	edits int
	meter *progress.Meter
}

// demoPlan lists what the demo does before its project is there. What was done by an earlier start takes no time.
func demoPlan(seed int64) []plan {
	pictures := len(aviary.Plan(aviary.Options{Seed: seed}))
	return []plan{
		{Stage: progress.Drawing, Total: pictures, Each: 30 * time.Millisecond},
		{Stage: progress.Reading, Total: pictures, Each: 3 * time.Millisecond},
		{Stage: progress.Scanning, Total: pictures, Each: 10 * time.Millisecond},
	}
}

func (d *demo) prepare(ctx context.Context) error {
	project, err := d.project(ctx)
	if err != nil {
		return err
	}
	version, err := d.model(ctx, project)
	if err != nil {
		return err
	}
	if err := d.pictures(ctx, project); err != nil {
		return err
	}
	if err := d.scan(ctx, version); err != nil {
		return err
	}
	if err := d.seedEdits(ctx, project, version); err != nil {
		return err
	}
	d.meter.Finish()
	return nil
}

func (d *demo) project(ctx context.Context) (annotator.Project, error) {
	project, err := d.Store.ProjectBySlug(ctx, demoSlug)
	if errors.Is(err, annotator.ErrNotFound) {
		return d.Store.InsertProject(ctx, annotator.Project{Slug: demoSlug, Name: demoName, Description: demoDescription})
	}
	return project, err
}

func (d *demo) model(ctx context.Context, project annotator.Project) (annotator.Version, error) {
	versions, err := d.Store.Versions(ctx, project.ID)
	if err != nil || len(versions) > 0 {
		return first(versions), err
	}
	file, manifest, err := aviary.Model()
	if err != nil {
		return annotator.Version{}, err
	}
	return jobs.AddModel(ctx, d.Store, d.Blobs, project.ID, file, manifest)
}

func first(versions []annotator.Version) annotator.Version {
	if len(versions) == 0 {
		return annotator.Version{}
	}
	return versions[0]
}

// options are what the demo draws.
func (d *demo) options() aviary.Options {
	o := aviary.DefaultOptions()
	o.Seed = d.seed
	return o
}

// pictures draws the birds and imports them, under a job that the project's page shows.
func (d *demo) pictures(ctx context.Context, project annotator.Project) (err error) {
	images, err := d.Store.Images(ctx, project.ID)
	if err != nil {
		return err
	}
	plan := aviary.Plan(d.options())
	if len(images) >= len(plan) {
		return nil
	}
	job, err := d.Store.CreateJob(ctx, project.ID, annotator.JobImport)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Store.FailJob(context.WithoutCancel(ctx), job.ID, err.Error()))
		}
	}()
	if err := d.Store.StartJob(ctx, job.ID, len(plan)); err != nil {
		return err
	}
	folder := filepath.Join(d.Data, "cache", "aviary")
	defer os.RemoveAll(folder) // the pictures are in the blob store then
	err = aviary.Generate(ctx, folder, d.options(), func(done, _ int) {
		d.meter.Advance(progress.Drawing, done)
	})
	if err != nil {
		return err
	}
	data, err := dataset.Open("folder", folder)
	if err != nil {
		return err
	}
	_, err = jobs.TrackedImport(ctx, d.Store, d.Blobs, job.ID, project.ID, data, jobs.ImportOptions{Progress: func(done, _ int) {
		d.meter.Advance(progress.Reading, done)
	}})
	return err
}

// scan predicts every picture and waits for the end of it.
func (d *demo) scan(ctx context.Context, version annotator.Version) error {
	job, err := d.Store.EnqueueScan(ctx, version.ID)
	for ; err == nil; job, err = d.Store.Job(ctx, job.ID) {
		switch job.State {
		case "finished":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("the scan %s: %s", job.State, job.Message)
		}
		d.meter.Expect(progress.Scanning, job.Total, 0)
		d.meter.Advance(progress.Scanning, job.Done)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(jobPoll):
		}
	}
	return err
}

// seedEdits paints some of the training pictures from the birds' masks, the misclassified ones first and
// then others (the shipped network is wrong on few of them), so that a round can be run at once. They
// stand under the generator's name.
func (d *demo) seedEdits(ctx context.Context, project annotator.Project, version annotator.Version) error {
	approved, err := d.Store.CountApproved(ctx, project.ID)
	if err != nil || approved > 0 || d.edits == 0 {
		return err
	}
	author, err := d.Store.GeneratorUser(ctx, "Aviary generator")
	if err != nil {
		return err
	}
	reviewer, err := d.Store.GeneratorUser(ctx, "Aviary mask check")
	if err != nil {
		return err
	}
	images, err := d.Store.Images(ctx, project.ID, annotator.SplitTrain)
	if err != nil {
		return err
	}
	predictions, err := d.Store.Predictions(ctx, version.ID, annotator.SplitTrain)
	if err != nil {
		return err
	}
	wrong := map[int64]bool{}
	for _, p := range predictions {
		wrong[p.ImageID] = !p.Correct
	}
	order := rand.New(rand.NewPCG(uint64(d.seed), 0)).Perm(len(images))
	seed := postgres.SeedEdits{ProjectID: project.ID, VersionID: version.ID, Author: author, Reviewer: reviewer}
	catalog := jobs.NewCatalog(d.Blobs, 0, 1)
	for _, misclassified := range []bool{true, false} {
		for _, i := range order {
			image := images[i]
			if len(seed.Edits) == d.edits || wrong[image.ID] != misclassified || image.MaskHash == "" {
				continue
			}
			m, err := catalog.Mask(ctx, version, image)
			if err != nil {
				return fmt.Errorf("mask of %s: %w", image.Name, err)
			}
			seed.Edits = append(seed.Edits, postgres.SeedEdit{ImageID: image.ID, Map: aviary.EditFromGrid(m)})
		}
	}
	_, err = d.Store.SeedEdits(ctx, seed)
	return err
}
