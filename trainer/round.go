package trainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// ErrCancelled is the cause for cancelling the context of a round that will not be resumed: RunRound then removes its work
// folder. With any other cause, such as a worker that shuts down, the folder stays and the same call goes on from the last
// checkpoint.
var ErrCancelled = errors.New("cancelled")

// ErrBusy says that another process is using the work folder.
var ErrBusy = errors.New("another process is at work in this folder")

// Lineage says where a fine-tuned model comes from; it goes into its metadata_props. The parent's
// hash, the number of edits, the settings and the seed are added by RunRound.
type Lineage struct {
	Round   int64  // 0 outside a project
	Project string // slug, "" outside a project
}

// RoundSpec is everything a round needs.
type RoundSpec struct {
	Model    []byte            // the parent, an ONNX file
	Opened   *network.Network  // Model, if the caller has opened it with Manifest; nil: the round opens it
	Manifest manifest.Manifest // its preprocessing and classes
	Settings recipe.Settings

	// Train are the images to train on: the training images, and all images with an edited map.
	Train []sample.Sample
	// Heldout is what the round is measured on. Images whose file is also in Train are left out.
	Heldout []sample.Sample
	// Validation is what early stopping looks at (Settings.Patience > 0), in all arms, the search for γ (Settings.GammaSearch), and what
	// the baseline is chosen on (Settings.Arms). Images whose file is also in Train or
	// Heldout are left out. If that leaves none, a tenth of the training images without an edit is held back for the first two; without
	// that there is nothing to choose a baseline on. The held-out images are never used: a round must not be judged on the images that
	// chose its epochs, its γ or its baseline.
	Validation []sample.Sample

	Pixels PixelReader
	// Masks reads the objects of held-out images that have a Mask, for the measures that are taken on pixels; nil: those are not taken.
	Masks MaskReader
	// Store keeps features from round to round; nil: they are kept in WorkDir, for this round only.
	Store *features.Store
	// Extractor computes features; nil: a session on Model's own extractor.
	Extractor features.Extractor
	// ExtractorHash keys the store; "": the hash of Model's own extractor.
	ExtractorHash string

	// WorkDir is the round's own folder (made if absent) for checkpoints. A round that was cut off and is run again with the same
	// spec goes on from there. RunRound removes it on ErrCancelled; after success the caller removes it, once the outcome is
	// stored.
	WorkDir string
	// WaitForWorkDir waits while another process is at work in WorkDir, in place of ErrBusy.
	WaitForWorkDir bool

	Lineage Lineage
	// Painting has the seconds that people took to paint the edited maps, by the samples' ids; those that are not known are absent.
	Painting map[int64]float64
	// WithoutControl trains the candidate alone; it is then compared with its parent, which flatters it.
	WithoutControl bool
	// ParentAlone trains nothing: the outcome has the rows of the parent and of its refit, if Settings.Arms asks for that, and no network.
	ParentAlone bool
	Threads     int // for the runtime; 0: all cores

	network         *parent       // tests bring their own
	checkpointEvery time.Duration // 0: checkpointEvery
	withoutRestarts bool          // a round that diverges ends
}

// RoundOutcome is what a round made and what it was worth.
type RoundOutcome struct {
	Model     []byte // the candidate, an ONNX file: of the first seed, refitted where Arms.Maps says so
	ModelHash string // SHA-256 of Model, lower-case hex
	// ExtractorHash keys the features of Model: the parent's, unless Settings.Strategy changed the extractor.
	ExtractorHash string
	Control       []byte // the control, refitted likewise; nil without one

	Settings recipe.Settings // those trained with, with values in place of automatic ones
	Images   int             // samples trained on, edited ones included
	Edits    int             // of them with an edited map
	Steps    int             // of each arm, if early stopping does not end it before
	OrderKey string

	Runs             []ArmRun // candidate, then the control if there is one, then other arms: how long each trained and which epoch was kept
	ValidationImages int      // what early stopping and the search for γ looked at; 0 without either
	HeldBack         bool     // they are training images that were held back, since no other validation images were given

	GammaSearch *GammaSearch // how γ was found, which Settings has; nil without a search

	// Warnings are sentences on what makes the figures less reliable.
	Warnings []string

	Headline string
	// Maps is the arm that stands for people's maps, and Against the one that it is compared with: the strongest without them, the control
	// where there was nothing to choose, the parent without a control. Measures, Verdict, Fixed and Broken compare these two.
	Maps, Against Arm
	Measures      []measure.Measure // of the parent, of Against ("control") and of Maps ("candidate"), means over seeds
	// Arms compares all arms, nil where there is no control or no held-out image. It follows from Rows, as Measures and Verdict do.
	Arms     *measure.ArmTable
	Verdict  *measure.Verdict // nil where there is no held-out image
	Rows     []measure.ArmRow
	Judged   []int64 // ids of the held-out images
	Fixed    []int64 // of them those that Against gets wrong and Maps right
	Broken   []int64 // and the other way round
	Moved    []int64 // those that the parent and these two get right on which attention moved most, at most Shown
	Shown    []ShownImage
	Excluded int // held-out images left out because their file was trained on
	Skipped  []Problem

	// On Heldout, of the first seed: of the parent, of the network that is written as the control (nil without one), and of Maps.
	ParentEvaluation, ControlEvaluation, CandidateEvaluation *measure.Evaluation
	Curve                                                    []Point

	Seconds        float64
	FeatureSeconds float64
	FeatureMisses  int // features that had to be computed
}

// RunRound fine-tunes a candidate and, from the same start, seed, order and budget, a control with γ=0, evaluates parent, control,
// candidate and what other arms are asked for on images no edit touched, and exports the candidate. A parent, sample or settings that cannot be trained are
// refused before anything is computed.
func RunRound(ctx context.Context, spec RoundSpec, observer Observer) (outcome RoundOutcome, err error) {
	kind := recipe.Round
	if spec.WithoutControl {
		kind = recipe.FineTuning
	}
	if err := spec.Settings.Validate(kind); err != nil {
		return RoundOutcome{}, fmt.Errorf("round: %w", err)
	}
	net := spec.network
	if net == nil {
		if net, err = openNetwork(ctx, spec.Opened, spec.Model, spec.Manifest, spec.Settings, spec.Extractor, spec.ExtractorHash, spec.Threads); err != nil {
			return RoundOutcome{}, fmt.Errorf("round: %w", err)
		}
		defer net.close()
	}
	if net.require != nil {
		if err := net.require(ctx, spec.Settings); err != nil {
			return RoundOutcome{}, fmt.Errorf("round: %w", err)
		}
	}
	for _, list := range [][]sample.Sample{spec.Train, spec.Heldout, spec.Validation} {
		if err := sample.Check(list, net.classes, net.grid[0], net.grid[1]); err != nil {
			return RoundOutcome{}, fmt.Errorf("round: %w", err)
		}
	}
	if len(spec.Train) == 0 {
		return RoundOutcome{}, errors.New("round: no images to train on")
	}
	claim := claimWorkDir
	if spec.WaitForWorkDir {
		claim = func(dir string) (func(), error) { return awaitWorkDir(ctx, dir) }
	}
	release, err := claim(spec.WorkDir)
	if err != nil {
		return RoundOutcome{}, fmt.Errorf("round: %w", err)
	}
	defer func() {
		if errors.Is(context.Cause(ctx), ErrCancelled) && err != nil {
			err = errors.Join(err, os.RemoveAll(spec.WorkDir))
		}
		release()
	}()
	r := &round{spec: spec, net: net, observer: observer, meter: observer.meter(), started: time.Now()}
	if err := r.run(ctx); err != nil {
		return RoundOutcome{}, fmt.Errorf("round: %w", err)
	}
	return r.outcome, nil
}
