package jobs

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/orders"
)

// A worker spreads the mistakes by what the extractor sees in them, and ranks right images by the attention inside their mask or by the
// distance to the approved maps of their class, where the mix asks for it; and again once other maps are approved.
func TestRankQueue(t *testing.T) {
	t.Parallel()
	w := newTrailWorld(t)
	ctx := t.Context()
	put := func(m image.Image) string {
		var out bytes.Buffer
		if err := png.Encode(&out, m); err != nil {
			t.Fatal(err)
		}
		hash, _, err := w.blobs.Put(ctx, &out)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	picture := func(shade, noise uint8) string {
		m := image.NewRGBA(image.Rect(0, 0, 112, 112))
		for y := range 112 {
			for x := range 112 {
				v := shade + noise*uint8((x/4+y/4)%2)
				m.Set(x, y, color.RGBA{v, v / 2, 255 - v, 255})
			}
		}
		return put(m)
	}
	mask := image.NewGray(image.Rect(0, 0, 112, 112)) // its left half
	for y := range 112 {
		for x := range 56 {
			mask.SetGray(x, y, color.Gray{Y: 255})
		}
	}
	masked := put(mask)
	if _, err := w.service.CreateProject(ctx, w.Admin, "ranked", "Ranked", ""); err != nil {
		t.Fatal(err)
	}
	version := ok(w.service.AddModel(ctx, annotator.System, "ranked", annotator.ModelToAdd{Name: "m.onnx", File: w.file, Manifest: w.beside, NoScan: true}))
	project := ok(w.Store.ProjectBySlug(ctx, "ranked"))
	class := project.Classes[0].Key
	images := []annotator.NewImage{ // three much alike, one quite another, one that cannot be read any more; then right ones
		{Name: "wrong/0", Hash: picture(10, 0)}, {Name: "wrong/1", Hash: picture(11, 0)}, {Name: "wrong/2", Hash: picture(12, 0)}, {Name: "wrong/3", Hash: picture(60, 190)},
		{Name: "wrong/lost", Hash: "00" + picture(1, 1)[2:]},
		{Name: "right/inside", Hash: picture(20, 0), MaskHash: masked}, {Name: "right/outside", Hash: picture(21, 0), MaskHash: masked},
		{Name: "right/near", Hash: picture(22, 0)}, {Name: "right/far", Hash: picture(23, 0)},
	}
	for i := range images {
		images[i].Split, images[i].Class, images[i].Width, images[i].Height = annotator.SplitTrain, class, 112, 112
	}
	if n := ok(w.Store.AddImages(ctx, project.ID, images)); n != len(images) {
		t.Fatalf("%d images", n)
	}
	job := ok(w.Store.EnqueueScan(ctx, version.ID))
	chunk := ok(w.Store.ClaimChunk(ctx, job.ID, "test", 0))
	half := func(left bool) attention.Map {
		m := attention.New(version.GridHeight, version.GridWidth)
		for i := range m.Values {
			if i%m.Width < m.Width/2 == left {
				m.Values[i] = 1
			}
		}
		return m
	}
	var predictions []annotator.Prediction
	ids := map[string]int64{}
	for _, of := range chunk.Images {
		ids[of.Name] = of.ID
		p := annotator.Prediction{VersionID: version.ID, ImageID: of.ID, Confidence: 0.9, Probabilities: make([]float32, 14), Map: half(of.Name == "right/inside" || of.Name == "right/near")}
		if of.Name[:5] == "wrong" {
			p.Class = 1
		}
		p.Probabilities[p.Class] = 0.9
		predictions = append(predictions, p)
	}
	ok(w.Store.CompleteChunk(ctx, chunk, predictions, nil))
	worker, err := NewWorker(Config{Store: w.Store, Blobs: w.blobs, Data: t.TempDir(), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	rank := func() (ranked int) {
		t.Helper()
		for _, due := range ok(w.Store.DueQueues(ctx)) {
			if due.ProjectID != project.ID {
				continue
			}
			ranked++
			if err := RankQueue(ctx, w.Store, worker.catalog, worker.features, due); err != nil {
				t.Fatal(err)
			}
		}
		return ranked
	}
	places := func(table, place string) (names []string) {
		t.Helper()
		rows := ok(w.Store.Pool().Query(ctx, `SELECT i.name FROM `+table+` t JOIN images i ON i.id = t.image_id WHERE t.project_id = $1 AND `+place+` IS NOT NULL ORDER BY `+place+`, i.id`, project.ID))
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		return names
	}

	if n := rank(); n != 1 || len(places("tasks", "diverse_place")) != 0 || len(places("reserve", "reason_place")) != 0 {
		t.Errorf("a mix of mistakes alone: ranked %d times, places %v, %v", n, places("tasks", "diverse_place"), places("reserve", "reason_place"))
	}
	if n := rank(); n != 0 {
		t.Error("ranked again, and nothing was due")
	}
	ok(w.service.ChangeProject(ctx, w.Admin, "ranked", annotator.ProjectChange{Mix: orders.Mix{orders.Diverse: 50, orders.WrongReason: 50}}))
	rank()
	spread := places("tasks", "diverse_place")
	if len(spread) != 4 || slices.Index(spread, "wrong/3") > 1 || slices.Contains(spread, "wrong/lost") {
		t.Errorf("far apart: %v; want the one that is unlike the others among the first two, and no lost one", spread)
	}
	if got := places("reserve", "reason_place"); !slices.Equal(got, []string{"right/outside", "right/inside"}) {
		t.Errorf("before a map is approved: %v", got)
	}

	// A map of the left half is approved.
	w.Clock.Add(time.Second)
	task := ok(w.service.ClaimTask(ctx, w.Ada, ok(w.Store.TasksOf(ctx, ids["wrong/0"]))[0].ID))
	edit := ok(w.service.SaveDraft(ctx, w.Ada, task.ID, annotator.Draft{Source: annotator.SourcePainted, Map: half(true)}))
	if err := w.Store.InTx(ctx, func(tx annotator.Store) error {
		if err := tx.SubmitEdit(ctx, edit.ID, nil, nil, w.Clock.Now()); err != nil {
			return err
		}
		held := ok(tx.LockTask(ctx, task.ID))
		return tx.UpdateTask(ctx, ok(held.Submit(w.Ada, w.Clock.Now())))
	}); err != nil {
		t.Fatal(err)
	}
	w.Clock.Add(time.Minute)
	ok(w.service.Review(ctx, w.Reviewer, edit.ID, annotator.VerdictApprove, ""))
	if n := rank(); n != 1 {
		t.Errorf("after the approval ranked %d times", n)
	}
	if got := places("reserve", "reason_place"); !slices.Equal(got, []string{"right/outside", "right/far", "right/inside", "right/near"}) {
		t.Errorf("after it: %v", got)
	}
	var inside, distance float64
	if err := w.Store.Pool().QueryRow(ctx, `SELECT (SELECT inside FROM reserve WHERE image_id = $1), (SELECT distance FROM reserve WHERE image_id = $2)`, ids["right/outside"], ids["right/far"]).Scan(&inside, &distance); err != nil {
		t.Fatal(err)
	}
	if inside > 0.1 || distance < 0.95 {
		t.Errorf("inside %v, distance %v; the maps lie outside and opposite", inside, distance)
	}
}
