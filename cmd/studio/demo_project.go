package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/progress"
)

// The names of the demo's project and of the generator, as people see them.
const (
	demoSlug        = "aviary"
	demoGenerator   = "Aviary generator"
	demoName        = "Aviary"
	demoDescription = "Fourteen birds in four landscapes. The network learned from pictures in which the landscape gives the bird away; the test pictures do not. Paint it onto the birds."
)

// jobPoll is the pause between two checks of a running job.
const jobPoll = 200 * time.Millisecond

// demo fills the demo's project. A step that was done before does nothing, so that after an interrupted start the next one continues.
type demo struct {
	*storage
	service *annotator.Service
	options aviary.Options // of its pictures
	edits   int
	meter   *progress.Meter
}

// demoPlan lists the stages of filling the demo's project. Stages that an earlier start has done take no time.
func demoPlan(o aviary.Options) []plan {
	pictures := len(aviary.Plan(o))
	return []plan{
		{Stage: progress.Drawing, Total: pictures, Each: 33 * time.Millisecond},
		{Stage: progress.Scanning, Total: pictures, Each: 10 * time.Millisecond},
	}
}

func (d *demo) prepare(ctx context.Context) error {
	if err := d.project(ctx); err != nil {
		return err
	}
	version, err := d.model(ctx)
	if err != nil {
		return err
	}
	if err := d.pictures(ctx); err != nil {
		return err
	}
	if err := d.scan(ctx, version.ID); err != nil {
		return err
	}
	if err := d.seedEdits(ctx, version); err != nil {
		return err
	}
	d.meter.Finish()
	return nil
}

func (d *demo) project(ctx context.Context) error {
	_, err := d.service.Project(ctx, annotator.System, demoSlug)
	if errors.Is(err, annotator.ErrNotFound) {
		_, err = d.service.CreateProject(ctx, annotator.System, demoSlug, demoName, demoDescription)
	}
	return err
}

func (d *demo) model(ctx context.Context) (annotator.Version, error) {
	versions, err := d.service.Versions(ctx, annotator.System, demoSlug)
	if err != nil {
		return annotator.Version{}, err
	}
	if len(versions) > 0 {
		return versions[0], nil
	}
	file, manifest, err := aviary.Model()
	if err != nil {
		return annotator.Version{}, err
	}
	preprocessing, err := json.Marshal(manifest)
	if err != nil {
		return annotator.Version{}, err
	}
	// There are no images to scan yet; the import starts the scan.
	return d.service.AddModel(ctx, annotator.System, demoSlug, annotator.ModelToAdd{Name: "aviary.onnx", File: file, Manifest: preprocessing, NoScan: true})
}

// pictures draws the birds and imports them, under a job that the project's page shows.
func (d *demo) pictures(ctx context.Context) error {
	plan := inTurn(aviary.Plan(d.options))
	// Pictures that a person deleted count too: they are not drawn again.
	drawn, err := d.service.Images(ctx, annotator.System, demoSlug, annotator.ImageFilter{State: annotator.ImageAny, Limit: 1})
	if err != nil || drawn.Total >= len(plan) {
		return err
	}
	folder := filepath.Join(d.Data, "cache", "aviary")
	defer os.RemoveAll(folder) // the blob store has the pictures
	in := annotator.ImageImport{From: "Aviary's birds", Images: len(plan), Read: func(ctx context.Context, keep bool, tell func(int), next func([]annotator.NewImage) error) error {
		for from, to := range annotator.ImportParts(len(plan)) {
			part := filepath.Join(folder, strconv.Itoa(from))
			err := aviary.Draw(ctx, part, d.options, plan[from:to], func(done, _ int) { d.meter.Advance(progress.Drawing, from+done) })
			if err != nil {
				return err
			}
			data, err := dataset.Open("folder", part)
			if err != nil {
				return err
			}
			once := jobs.ImportOptions{Part: to - from}
			if err := jobs.ImageImport(d.Blobs, part, data, once).Read(ctx, keep, func(done int) { tell(from + done) }, next); err != nil {
				return err
			}
		}
		return nil
	}}
	_, err = d.service.ImportImages(ctx, annotator.System, demoSlug, in, nil)
	return err
}

// inTurn puts a picture of each bird after the other, and first the splits that people paint, so that they can begin with any bird while
// the rest is drawn.
func inTurn(plan []aviary.Picture) []aviary.Picture {
	type place struct {
		picture aviary.Picture
		painted bool
		n       int // among those of its bird and split
	}
	seen := map[string]int{}
	places := make([]place, len(plan))
	for i, p := range plan {
		of := path.Dir(p.Name)
		places[i] = place{p, p.Split == dataset.Train || p.Split == dataset.Pool, seen[of]}
		seen[of]++
	}
	slices.SortStableFunc(places, func(a, b place) int {
		if a.painted != b.painted {
			if a.painted {
				return -1
			}
			return 1
		}
		return a.n - b.n
	})
	ordered := make([]aviary.Picture, len(plan))
	for i, p := range places {
		ordered[i] = p.picture
	}
	return ordered
}

// scan waits until the version has predicted every picture. The import has started that scan.
func (d *demo) scan(ctx context.Context, version int64) error {
	for asked := false; ; {
		job, found, err := d.scanJob(ctx)
		switch {
		case err != nil:
			return err
		case found && (job.State == "queued" || job.State == "running"):
			d.meter.Expect(progress.Scanning, job.Total, 0)
			d.meter.Advance(progress.Scanning, job.Done)
		case found && job.State == "finished":
			return nil
		case found && asked:
			return fmt.Errorf("the scan %s: %s", job.State, job.Message)
		default: // the scan of an earlier start has failed
			if _, err := d.service.StartScan(ctx, annotator.System, version); err != nil {
				return err
			}
			asked = true
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(jobPoll):
		}
	}
}

// scanJob returns the project's latest scan, and whether there is one.
func (d *demo) scanJob(ctx context.Context) (annotator.Job, bool, error) {
	all, err := d.service.Jobs(ctx, annotator.System, demoSlug)
	i := slices.IndexFunc(all, func(j annotator.Job) bool { return j.Kind == annotator.JobScan })
	if err != nil || i < 0 {
		return annotator.Job{}, false, err
	}
	return all[i], true, nil
}

// seedEdits adds edits of some training pictures, made from the birds' masks in the generator's name, so that a round can be run at
// once. It takes the misclassified pictures first and then others, since the shipped network gets few of them wrong.
func (d *demo) seedEdits(ctx context.Context, version annotator.Version) error {
	people, err := d.service.Users(ctx, annotator.System)
	if err != nil || d.edits == 0 || slices.ContainsFunc(people, func(u annotator.User) bool { return u.Name == demoGenerator }) {
		return err
	}
	images, err := d.Store.Images(ctx, version.ProjectID, annotator.SplitTrain)
	if err != nil {
		return err
	}
	slices.SortFunc(images, func(a, b annotator.Image) int { return strings.Compare(a.Name, b.Name) }) // whatever the order they were drawn in
	predictions, err := d.Store.Predictions(ctx, version.ID, annotator.SplitTrain)
	if err != nil {
		return err
	}
	wrong := map[int64]bool{}
	for _, p := range predictions {
		wrong[p.ImageID] = !p.Correct
	}
	order := rand.New(rand.NewPCG(uint64(d.options.Seed), 0)).Perm(len(images))
	var edits []annotator.SeedEdit
	catalog := jobs.NewCatalog(d.Blobs, nil, 1)
	for _, misclassified := range []bool{true, false} {
		for _, i := range order {
			image := images[i]
			if len(edits) == d.edits || wrong[image.ID] != misclassified || image.MaskHash == "" {
				continue
			}
			m, err := catalog.Mask(ctx, version, image)
			if err != nil {
				return fmt.Errorf("mask of %s: %w", image.Name, err)
			}
			edits = append(edits, annotator.SeedEdit{ImageID: image.ID, Map: aviary.EditFromGrid(m)})
		}
	}
	_, err = d.service.SeedEdits(ctx, annotator.System, version.ID, demoGenerator, "Aviary mask check", edits)
	return err
}
