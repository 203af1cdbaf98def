package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// more adds n unlabelled images to the world's project.
func more(t *testing.T, w *pgtest.World, n int) {
	t.Helper()
	images := make([]annotator.NewImage, n)
	for i := range images {
		images[i] = annotator.NewImage{Name: fmt.Sprintf("more/%05d.png", i), Split: annotator.SplitPool, Hash: pgtest.Hash(2000 + i), Width: 8, Height: 8}
	}
	if added, err := w.Store.AddImages(t.Context(), w.Project.ID, images); err != nil || added != n {
		t.Fatalf("AddImages = %d, %v; want %d", added, err, n)
	}
}

// Two workers share a scan. One stops in the middle of a chunk and comes back after its claim has expired. Every image is predicted
// exactly once.
func TestTwoWorkersShareAScan(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	const n = 10*annotator.ChunkImages + 7
	more(t, w, n)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil || job.Total != n {
		t.Fatalf("EnqueueScan = %+v, %v; want %d images", job, err, n)
	}
	if again, err := w.Store.EnqueueScan(ctx, w.Version.ID); err != nil || again.ID != job.ID || again.Total != n {
		t.Errorf("asked again: %+v, %v; want the same scan", again, err)
	}

	dead, err := w.Store.ClaimChunk(ctx, job.ID, "killed", 0)
	if err != nil || len(dead.Images) != annotator.ChunkImages {
		t.Fatalf("ClaimChunk = %d images, %v", len(dead.Images), err)
	}
	var over sync.Mutex
	ends, images := 0, 0
	work := func(worker string) {
		last := int64(0)
		for {
			c, err := w.Store.ClaimChunk(ctx, job.ID, worker, last)
			if errors.Is(err, annotator.ErrScanOver) || errors.Is(err, annotator.ErrChunksBusy) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			last = c.ID
			if err := w.Store.KeepChunk(ctx, c); err != nil {
				t.Error(err)
			}
			status, err := w.Store.CompleteChunk(ctx, c, pgtest.Predict(c), nil)
			if err != nil {
				t.Error(err)
				return
			}
			over.Lock()
			images += len(c.Images)
			if status.Over {
				ends++
			}
			over.Unlock()
		}
	}
	var both sync.WaitGroup
	both.Go(func() { work("one") })
	both.Go(func() { work("two") })
	both.Wait()
	if ends != 0 || images != n-annotator.ChunkImages {
		t.Fatalf("while the dead worker's lease runs: %d ends, %d images", ends, images)
	}
	if _, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0); !errors.Is(err, annotator.ErrChunksBusy) {
		t.Errorf("ClaimChunk = %v, want ErrChunksBusy", err)
	}
	expire(t, w)
	work("one")
	if ends != 1 || images != n {
		t.Fatalf("after the lease: %d ends, %d images; want 1 and %d", ends, images, n)
	}
	if _, err := w.Store.CompleteChunk(ctx, dead, pgtest.Predict(dead), nil); !errors.Is(err, annotator.ErrSuperseded) {
		t.Errorf("the dead worker's late answer: %v, want ErrSuperseded", err)
	}
	if err := w.Store.KeepChunk(ctx, dead); !errors.Is(err, annotator.ErrSuperseded) {
		t.Errorf("the dead worker's sign of life: %v, want ErrSuperseded", err)
	}
	v, err := w.Store.Version(ctx, w.Version.ID)
	if err != nil || v.Scanned != n+len(w.Images) {
		t.Errorf("%d scanned, %v; want %d", v.Scanned, err, n+len(w.Images))
	}
	if all, err := w.Store.Predictions(ctx, w.Version.ID); err != nil || len(all) != v.Scanned {
		t.Errorf("%d predictions, %v; want %d", len(all), err, v.Scanned)
	}
	if job, err = w.Store.Job(ctx, job.ID); err != nil || job.State != "finished" || job.Done != n {
		t.Errorf("the job: %+v, %v", job, err)
	}
}

// expire makes every claim on a chunk expire.
func expire(t *testing.T, w *pgtest.World) {
	t.Helper()
	if _, err := w.Store.Pool().Exec(t.Context(), `UPDATE scan_chunks SET lease_expires_at = now() - interval '1 s' WHERE claimed_by IS NOT NULL`); err != nil {
		t.Fatal(err)
	}
}

func TestScanPutsBrokenImagesAside(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 3)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
	if err != nil {
		t.Fatal(err)
	}
	broken := c.Images[1]
	predictions := pgtest.Predict(c)
	predictions = append(predictions[:1], predictions[2:]...)
	status, err := w.Store.CompleteChunk(ctx, c, predictions, []annotator.BrokenImage{{ImageID: broken.ID, Reason: "unexpected EOF"}})
	if err != nil || !status.Over || status.Done != 3 {
		t.Fatalf("CompleteChunk = %+v, %v", status, err)
	}
	if job, err := w.Store.Job(ctx, job.ID); err != nil || job.Unreadable != 1 || job.Fraction != 1 ||
		job.Message != "1 of 3 images cannot be read, the first "+broken.Name+": unexpected EOF" {
		t.Errorf("the scan's outcome: %+v, %v", job, err)
	}
	if image, err := w.Store.Image(ctx, broken.ID); err != nil || image.Broken != "unexpected EOF" {
		t.Errorf("the broken image: %+v, %v", image, err)
	}
	if job, err = w.Store.EnqueueScan(ctx, w.Version.ID); err != nil || job.State != "finished" || job.Total != 0 {
		t.Errorf("the next scan: %+v, %v; want nothing to do", job, err)
	}
}

// A scan's outcome counts the unreadable images of all its chunks, and names the first image whichever chunk ends last. Its share is
// less than 1 before the end.
func TestScanCountsWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	n := 2*annotator.ChunkImages + 5
	more(t, w, n)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	var chunks []annotator.Chunk
	for range 3 {
		c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, c)
	}
	first := chunks[0].Images[3]
	share := 0.0
	for i := range chunks {
		c := chunks[len(chunks)-1-i] // the last part comes back first
		predictions := pgtest.Predict(c)
		broken := []annotator.BrokenImage{{ImageID: c.Images[4].ID, Reason: "another"}, {ImageID: c.Images[3].ID, Reason: "a NUL \x00 in the reason"}}
		if _, err := w.Store.CompleteChunk(ctx, c, append(predictions[:3], predictions[5:]...), broken); err != nil {
			t.Fatal(err)
		}
		now, err := w.Store.Job(ctx, job.ID)
		if err != nil || now.Unreadable != 2*(i+1) || now.Fraction < share || (now.Fraction == 1) != (now.State == "finished") {
			t.Errorf("after %d parts: %+v, %v", i+1, now, err)
		}
		share = now.Fraction
	}
	job, err = w.Store.Job(ctx, job.ID)
	if want := fmt.Sprintf("6 of %d images cannot be read, the first %s: a NUL \ufffd in the reason", n, first.Name); err != nil || job.Message != want || job.Phase != "scanning" {
		t.Errorf("the scan's outcome: %+v, %v; want %q", job, err, want)
	}
}

func TestReleasedChunkIsFreeAtOnce(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 1)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.ReleaseChunk(ctx, c); err != nil {
		t.Fatal(err)
	}
	if again, err := w.Store.ClaimChunk(ctx, job.ID, "two", 0); err != nil || again.ID != c.ID || again.Attempt != 2 {
		t.Errorf("ClaimChunk = %+v, %v", again, err)
	}
}

func TestPredictionsOnAnotherGridAreRefused(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 1)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
	if err != nil {
		t.Fatal(err)
	}
	predictions := pgtest.Predict(c)
	predictions[0].Map.Height, predictions[0].Map.Width = 3, 2
	if _, err := w.Store.CompleteChunk(ctx, c, predictions, nil); err == nil {
		t.Error("a map of another grid was stored")
	}
	if v, err := w.Store.Version(ctx, w.Version.ID); err != nil || v.Scanned != len(w.Images) {
		t.Errorf("after the refusal %d are counted, %v; want %d", v.Scanned, err, len(w.Images))
	}
}

// Tasks appear while a scan runs, with the chunk that their images are in, and images that can become tasks come first. A chunk that is
// completed again changes nothing, nor does the end of the scan.
func TestTasksAppearWhileAScanRuns(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	var images []annotator.NewImage
	for i, split := range []annotator.Split{annotator.SplitTest, annotator.SplitPool, annotator.SplitTrain} {
		for n := range annotator.ChunkImages {
			images = append(images, annotator.NewImage{Name: fmt.Sprintf("more/%s/%d.png", split, n), Split: split, Class: "class-1", Hash: pgtest.Hash(3000 + 100*i + n), Width: 8, Height: 8})
		}
	}
	if _, err := w.Store.AddImages(ctx, w.Project.ID, images); err != nil {
		t.Fatal(err)
	}
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	tasks := func() int {
		page, err := w.Store.TaskCards(ctx, w.Project.ID, annotator.TaskFilter{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return page.Total
	}
	before := tasks()
	for i, want := range []int{annotator.ChunkImages, 2 * annotator.ChunkImages, 2 * annotator.ChunkImages} {
		c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
		if err != nil {
			t.Fatal(err)
		}
		wrong := pgtest.Predict(c)
		for k := range wrong {
			wrong[k].Class = 2
		}
		status, err := w.Store.CompleteChunk(ctx, c, wrong, nil)
		if err != nil || status.Over != (i == 2) {
			t.Fatalf("chunk %d: %+v, %v", i, status, err)
		}
		if got := tasks() - before; got != want {
			t.Errorf("after chunk %d (%s …): %d tasks more, want %d", i, c.Images[0].Name, got, want)
		}
		if _, err := w.Store.CompleteChunk(ctx, c, wrong, nil); !errors.Is(err, annotator.ErrSuperseded) {
			t.Errorf("chunk %d again: %v", i, err)
		}
	}
	if n, err := w.Store.CreateTasks(ctx, w.Version.ID); err != nil || n != 0 {
		t.Errorf("%d tasks were missing, %v", n, err)
	}
}

// A version that is not active makes no task while it scans.
func TestACandidateMakesNoTasks(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	other, err := w.Store.AddVersion(ctx, w.Project.ID, pgtest.NewVersion(1))
	if err != nil {
		t.Fatal(err)
	}
	before, err := w.Store.TaskCards(ctx, w.Project.ID, annotator.TaskFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Scan(ctx, other.ID); err != nil {
		t.Fatal(err)
	}
	after, err := w.Store.TaskCards(ctx, w.Project.ID, annotator.TaskFilter{Limit: 100})
	if err != nil || after.Total != before.Total || after.Tasks[0].VersionID != w.Version.ID {
		t.Errorf("%d tasks, then %d, %v", before.Total, after.Total, err)
	}
}

// A worker goes on after the chunk that it had last; once none is left there it takes what lies before, such as what another one gave back.
func TestChunksAreClaimedOnwards(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 3*annotator.ChunkImages)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	first, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.Store.ClaimChunk(ctx, job.ID, "two", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.ReleaseChunk(ctx, first); err != nil {
		t.Fatal(err)
	}
	third, err := w.Store.ClaimChunk(ctx, job.ID, "two", second.ID)
	if err != nil || third.ID <= second.ID {
		t.Fatalf("after chunk %d: %d, %v", second.ID, third.ID, err)
	}
	if back, err := w.Store.ClaimChunk(ctx, job.ID, "two", third.ID); err != nil || back.ID != first.ID {
		t.Errorf("after the last: chunk %d, %v; want %d, which was given back", back.ID, err, first.ID)
	}
	if _, err := w.Store.ClaimChunk(ctx, job.ID, "two", first.ID); !errors.Is(err, annotator.ErrChunksBusy) {
		t.Errorf("with none left: %v", err)
	}
}

// However many predictions there are, each is read once with its image, a page at a time.
func TestEachPredictionIsReadOnce(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 2100)
	if err := w.Scan(ctx, w.Version.ID); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, split := range annotator.Splits {
		last := int64(0)
		err := w.Store.EachPrediction(ctx, w.Version, split, func(image annotator.Image, p annotator.Prediction) error {
			if image.ID <= last || p.ImageID != image.ID || image.Split != split || p.VersionID != w.Version.ID {
				t.Errorf("after image %d: image %d of %s with the prediction of %d", last, image.ID, image.Split, p.ImageID)
			}
			last = image.ID
			read++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var want int
	if err := w.Store.Pool().QueryRow(ctx, `SELECT count(*) FROM predictions WHERE version_id = $1`, w.Version.ID).Scan(&want); err != nil || read != want || want < 2100 {
		t.Errorf("%d are read of %d, %v", read, want, err)
	}
	stop := errors.New("enough")
	if err := w.Store.EachPrediction(ctx, w.Version, annotator.SplitTrain, func(annotator.Image, annotator.Prediction) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the caller's error: %v", err)
	}
}

// In a large project the tasks at the end of a scan are made step by step, by whichever worker is there, also after one has died; images that are added
// meanwhile are scanned first. With another version everybody's untouched tasks are made anew.
func TestTasksAreMadeInSteps(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 2*annotator.TaskStep)
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE images SET label = 1 WHERE label IS NULL`); err != nil {
		t.Fatal(err)
	}
	scan := func(version int64) annotator.Job {
		t.Helper()
		job, err := w.Store.EnqueueScan(ctx, version)
		if err != nil {
			t.Fatal(err)
		}
		for last := int64(0); ; {
			c, err := w.Store.ClaimChunk(ctx, job.ID, "one", last)
			if errors.Is(err, annotator.ErrChunksToMake) {
				if err := w.Store.NextChunks(ctx, job.ID); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if errors.Is(err, annotator.ErrChunksDone) {
				return job
			}
			if err != nil {
				t.Fatal(err)
			}
			last = c.ID
			predictions := pgtest.Predict(c)
			for i := range predictions {
				if predictions[i].Class == 1 {
					predictions[i].Class = 0
				}
			}
			if status, err := w.Store.CompleteChunk(ctx, c, predictions, nil); err != nil || status.Over {
				t.Fatalf("%+v, %v: over before the tasks of all images were made", status, err)
			}
		}
	}
	steps := func(job annotator.Job) (n int) {
		t.Helper()
		for {
			over, err := w.Store.NextTasks(ctx, job.ID)
			if err != nil {
				t.Fatal(err)
			}
			if n++; over {
				return n
			}
		}
	}
	missing := func(version int64) (missing, others int) {
		t.Helper()
		if err := w.Store.Pool().QueryRow(ctx, `
			SELECT (SELECT count(*) FROM predictions p JOIN images i ON i.id = p.image_id WHERE p.version_id = $1 AND NOT p.correct AND i.label IS NOT NULL AND i.split IN ('train', 'pool')
				AND NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id)),
				(SELECT count(*) FROM tasks WHERE version_id <> $1 AND state = 'open')`, version).Scan(&missing, &others); err != nil {
			t.Fatal(err)
		}
		return missing, others
	}
	job := scan(w.Version.ID)
	if _, err := w.Store.NextTasks(ctx, job.ID); err != nil { // and then its worker dies
		t.Fatal(err)
	}
	images := []annotator.NewImage{{Name: "late.png", Split: annotator.SplitPool, Hash: pgtest.Hash(99999), Width: 8, Height: 8}}
	if _, err := w.Store.AddImages(ctx, w.Project.ID, images); err != nil {
		t.Fatal(err)
	}
	if again, err := w.Store.EnqueueScan(ctx, w.Version.ID); err != nil || again.ID != job.ID {
		t.Fatalf("another image: %+v, %v", again, err)
	}
	if _, err := w.Store.NextTasks(ctx, job.ID); !errors.Is(err, annotator.ErrChunksBusy) {
		t.Errorf("with an image to be scanned: %v", err)
	}
	if again := scan(w.Version.ID); again.ID != job.ID {
		t.Errorf("the scan goes on as %d, was %d", again.ID, job.ID)
	}
	if n := steps(job); n < 2 {
		t.Errorf("it took %d steps", n)
	}
	if none, others := missing(w.Version.ID); none != 0 || others != 0 {
		t.Errorf("%d tasks are missing, %d are of other versions", none, others)
	}
	if _, err := w.Store.NextTasks(ctx, job.ID); !errors.Is(err, annotator.ErrScanOver) {
		t.Errorf("after the end: %v", err)
	}
	if done, err := w.Store.Job(ctx, job.ID); err != nil || done.State != annotator.JobFinished {
		t.Errorf("the job is %+v, %v", done, err)
	}
}

// In a large project a scan is started without looking at its images: workers do, a page at a time, whichever is there. Each image is in one chunk, also
// where images are added or moved meanwhile, and the scan does not end before all were looked at.
func TestALargeScanLooksForItsImagesInSteps(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	added := 0
	add := func(split annotator.Split, n int) {
		t.Helper()
		images := make([]annotator.NewImage, n)
		for i := range images {
			images[i] = annotator.NewImage{Name: fmt.Sprintf("more/%s/%05d.png", split, added+i), Split: split, Hash: pgtest.Hash(2000 + added + i), Width: 8, Height: 8}
		}
		if _, err := w.Store.AddImages(ctx, w.Project.ID, images); err != nil {
			t.Fatal(err)
		}
		added += n
	}
	add(annotator.SplitTest, 700)
	add(annotator.SplitPool, annotator.TaskStep)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil || job.Total != 0 || job.State != annotator.JobQueued {
		t.Fatalf("EnqueueScan = %+v, %v: it has looked at the images", job, err)
	}
	parts := func() (n int) {
		t.Helper()
		if err := w.Store.Pool().QueryRow(ctx, `SELECT count(*) FROM job_parts WHERE job_id = $1`, job.ID).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := parts(); n != 1 {
		t.Errorf("%d workers are asked before it is known for how many images", n)
	}
	if _, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0); !errors.Is(err, annotator.ErrChunksToMake) {
		t.Fatalf("ClaimChunk = %v, want ErrChunksToMake", err)
	}
	look := func() bool {
		t.Helper()
		if err := w.Store.NextChunksOf(ctx, job.ID, 500); err != nil {
			t.Fatal(err)
		}
		var looks bool
		if err := w.Store.Pool().QueryRow(ctx, `SELECT looks FROM jobs WHERE id = $1`, job.ID).Scan(&looks); err != nil {
			t.Fatal(err)
		}
		return looks
	}
	for range 3 {
		look()
	}
	// More images come, and one of those that were to be looked at later is moved to where the scan has passed by.
	add(annotator.SplitPool, 100)
	if again, err := w.Store.EnqueueScan(ctx, w.Version.ID); err != nil || again.ID != job.ID {
		t.Fatalf("EnqueueScan again = %+v, %v", again, err)
	}
	for range 3 {
		look()
	}
	page, err := w.Store.ImagePage(ctx, w.Project.ID, annotator.ImageFilter{State: annotator.ImageInUse, Prefix: "more/test/00600", Limit: 1})
	if err != nil || len(page.Images) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	moved := page.Images[0]
	// One that was deleted when it was looked at comes back.
	deleted := w.Images[0].ID
	if _, err := w.Store.Pool().Exec(ctx, `DELETE FROM tasks WHERE image_id = $1`, deleted); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Pool().Exec(ctx, `DELETE FROM predictions WHERE image_id = $1`, deleted); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.ReinstateImages(ctx, w.Project.ID, []int64{deleted}, time.Now()); err != nil {
		t.Fatal(err)
	}
	added++
	moved.Split = annotator.SplitTrain
	if err := w.Store.MoveImage(ctx, moved, time.Now()); err != nil {
		t.Fatal(err)
	}
	// Both workers look at the same time.
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for range 10 {
				if err := w.Store.NextChunksOf(ctx, job.ID, 500); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	if look() {
		t.Fatal("not all images were looked at")
	}
	if job, err = w.Store.Job(ctx, job.ID); err != nil || job.Total != added {
		t.Fatalf("%+v, %v; want %d images", job, err, added)
	}
	if n := parts(); n != annotator.ScanWorkers(added) {
		t.Errorf("%d workers are asked, want %d", n, annotator.ScanWorkers(added))
	}
	seen, heldOut := map[int64]bool{}, false
	for last := int64(0); ; {
		c, err := w.Store.ClaimChunk(ctx, job.ID, "one", last)
		if errors.Is(err, annotator.ErrChunksDone) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = c.ID
		for _, image := range c.Images {
			if seen[image.ID] {
				t.Errorf("image %d is in two chunks", image.ID)
			}
			seen[image.ID] = true
			if image.ID == moved.ID || image.ID == deleted { // which came late
				continue
			}
			if heldOut = heldOut || image.Split.HeldOut(); heldOut != image.Split.HeldOut() {
				t.Fatalf("image %s comes after held-out ones", image.Name)
			}
		}
		status, err := w.Store.CompleteChunk(ctx, c, pgtest.Predict(c), nil)
		if err != nil || status.Over || status.Total != added {
			t.Fatalf("CompleteChunk = %+v, %v", status, err)
		}
	}
	if len(seen) != added || !seen[moved.ID] || !seen[deleted] {
		t.Errorf("%d images were predicted of %d; the moved one %v, that which came back %v", len(seen), added, seen[moved.ID], seen[deleted])
	}
	// All are predicted, but somebody starts the scan again before its tasks are made: it has nothing more to do, which it finds by looking.
	if again, err := w.Store.EnqueueScan(ctx, w.Version.ID); err != nil || again.ID != job.ID {
		t.Fatalf("EnqueueScan again = %+v, %v", again, err)
	}
	if _, err := w.Store.NextTasks(ctx, job.ID); !errors.Is(err, annotator.ErrChunksBusy) {
		t.Errorf("NextTasks = %v, want ErrChunksBusy", err)
	}
	pages := 1
	for ; look(); pages++ { // what was looked at before is not looked at again
	}
	if pages > 2 {
		t.Errorf("%d pages of no images", pages)
	}
	for over := false; !over; {
		if over, err = w.Store.NextTasks(ctx, job.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Store.NextChunks(ctx, job.ID); !errors.Is(err, annotator.ErrScanOver) {
		t.Errorf("after the end: %v", err)
	}
}

// An image that was deleted when a worker took its chunk, and comes back before that is done, is predicted all the same.
func TestAnImageThatComesBackIsPredicted(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 10)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil || job.Total != 10 {
		t.Fatalf("EnqueueScan = %+v, %v", job, err)
	}
	page, err := w.Store.ImagePage(ctx, w.Project.ID, annotator.ImageFilter{State: annotator.ImageInUse, Prefix: "more/", Limit: 1})
	if err != nil || len(page.Images) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	back := []int64{page.Images[0].ID}
	if err := w.Store.RetireImages(ctx, w.Project.ID, back, annotator.RetiredDeleted, time.Now()); err != nil {
		t.Fatal(err)
	}
	c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
	if err != nil || len(c.Images) != 9 {
		t.Fatalf("ClaimChunk = %d images, %v", len(c.Images), err)
	}
	if err := w.Store.ReinstateImages(ctx, w.Project.ID, back, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.EnqueueScan(ctx, w.Version.ID); err != nil { // as who restores an image does
		t.Fatal(err)
	}
	status, err := w.Store.CompleteChunk(ctx, c, pgtest.Predict(c), nil)
	if err != nil || status.Over {
		t.Fatalf("CompleteChunk = %+v, %v: an image is left", status, err)
	}
	if c, err = w.Store.ClaimChunk(ctx, job.ID, "one", c.ID); err != nil || len(c.Images) != 1 || c.Images[0].ID != back[0] {
		t.Fatalf("ClaimChunk = %+v, %v", c, err)
	}
	if status, err = w.Store.CompleteChunk(ctx, c, pgtest.Predict(c), nil); err != nil || !status.Over {
		t.Errorf("CompleteChunk = %+v, %v; want the end", status, err)
	}
}

// A chunk that ends while others are still to be made does not end the scan.
func TestALargeScanDoesNotEndWhileItLooks(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, annotator.TaskStep+1)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := w.Store.NextChunksOf(ctx, job.ID, 500); err != nil {
			t.Fatal(err)
		}
	}
	for {
		c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
		if err != nil {
			t.Fatal(err)
		}
		var left int
		if err := w.Store.Pool().QueryRow(ctx, `SELECT total - done FROM jobs WHERE id = $1`, job.ID).Scan(&left); err != nil {
			t.Fatal(err)
		}
		last := left == len(c.Images)
		if last { // images are added while a worker has the last chunk
			if _, err := w.Store.AddImages(ctx, w.Project.ID, []annotator.NewImage{{Name: "late.png", Split: annotator.SplitPool, Hash: pgtest.Hash(99999), Width: 8, Height: 8}}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Store.EnqueueScan(ctx, w.Version.ID); err != nil {
				t.Fatal(err)
			}
		}
		status, err := w.Store.CompleteChunk(ctx, c, pgtest.Predict(c), nil)
		if err != nil || status.Over {
			t.Fatalf("CompleteChunk = %+v, %v", status, err)
		}
		if last {
			break
		}
	}
	if now, err := w.Store.Job(ctx, job.ID); err != nil || now.State != annotator.JobRunning {
		t.Fatalf("with an image to be looked for: %+v, %v", now, err)
	}
	if err := w.Store.NextChunks(ctx, job.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.NextChunks(ctx, job.ID); err != nil {
		t.Fatal(err)
	}
	if c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0); err != nil || len(c.Images) != 1 || c.Images[0].Name != "late.png" {
		t.Errorf("ClaimChunk = %+v, %v", c, err)
	}
}
