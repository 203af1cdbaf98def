package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/samples"
)

// scoredPictures is the number of pictures that scores alternate between, as when that many people paint at once.
const scoredPictures = 8

// Score times live scores, from map to probabilities, against bare runs of the perception branch on the same features with the
// same session settings.
type Score struct {
	Subject
	Runs    int // scores to time
	PyTorch PyTorch
}

// ScoreResult is what Score measured.
type ScoreResult struct {
	Runs     int     `json:"score_runs"`
	First    float64 `json:"first_score_ms"` // of an image not seen before: decoded, and through the extractor
	P50      float64 `json:"score_p50_ms"`
	P95      float64 `json:"score_p95_ms"`
	BareP50  float64 `json:"bare_perception_p50_ms"`
	BareP95  float64 `json:"bare_perception_p95_ms"`
	Ratio    float64 `json:"score_over_bare_ratio"` // of the medians
	RatioP95 float64 `json:"score_over_bare_p95_ratio"`
	Ours     Took    `json:"score_took"`
	Against
	OverPyTorch float64 `json:"score_over_pytorch_ratio,omitempty"` // p50 of PyTorch's fastest form ÷ ours
}

// Print writes the result for people.
func (r ScoreResult) Print(w io.Writer) error {
	fmt.Fprintf(w, "live score       p50 %.2f ms, p95 %.2f ms; %.1f ms for an image's first\n", r.P50, r.P95, r.First)
	fmt.Fprintf(w, "bare perception  p50 %.2f ms, p95 %.2f ms\n", r.BareP50, r.BareP95)
	fmt.Fprintf(w, "score_over_bare_ratio   %.2f   (p95: %.2f; aim: 1.5 or less)\n", r.Ratio, r.RatioP95)
	return r.printForms(w, "score_over_pytorch_ratio", r.OverPyTorch, "")
}

// Measure times scores and bare runs in turn.
func (c Score) Measure(ctx context.Context) (result ScoreResult, err error) {
	if c.Runs < 1 {
		return result, fmt.Errorf("bench score: %d runs", c.Runs)
	}
	subject, err := c.open(ctx, scoredPictures)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, subject.close()) }()
	manifest, err := json.Marshal(subject.manifest)
	if err != nil {
		return result, err
	}
	load := func(context.Context, string) (string, error) { return subject.path, nil }
	scorer := inference.NewLiveScorer(network.NewStore(load, 0), pictureFiles{}, inference.LiveScorerOptions{})
	defer scorer.Close()
	opened, bare, err := subject.network(ctx, scorer.Session())
	if err != nil {
		return result, err
	}
	defer bare.Close()
	version := annotator.Version{ModelHash: "model", ExtractorHash: "extractor", Manifest: manifest}
	sizes := bare.Sizes()

	var features [][]float32
	var first []time.Duration
	for _, path := range subject.pictures {
		pixels := make([]float32, sizes.Image())
		if err := samples.Pixels(ctx, bare.Preprocessor, path, pixels); err != nil {
			return result, fmt.Errorf("%s: %w", path, err)
		}
		g, err := bare.Features(ctx, 1, pixels)
		if err != nil {
			return result, err
		}
		features = append(features, g)
		start := time.Now()
		if err := scorer.Warm(ctx, version, annotator.Image{Name: path, Hash: path}); err != nil {
			return result, err
		}
		first = append(first, time.Since(start))
	}
	torch := &pytorch{}
	if c.PyTorch.Python != "" {
		if torch, err = c.openPyTorch(ctx, opened, bare, features); err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, torch.close()) }()
	}
	rng := rand.New(rand.NewPCG(1, 0))
	m := attention.New(sizes.GridHeight, sizes.GridWidth)
	var scores, bares []time.Duration
	for i := range c.Runs + scoredPictures {
		for j := range m.Values { // as if a person had painted
			m.Values[j] = rng.Float32()
		}
		at := i % len(features)
		start := time.Now()
		if _, err := bare.Perception(ctx, 1, features[at], m.Values); err != nil {
			return result, err
		}
		between := time.Now()
		image := annotator.Image{Name: subject.pictures[at], Hash: subject.pictures[at]}
		if _, err := scorer.Score(ctx, version, image, m); err != nil {
			return result, err
		}
		if i >= scoredPictures { // the first scores open sessions and compute features
			bares, scores = append(bares, between.Sub(start)), append(scores, time.Since(between))
		}
		if at == len(features)-1 { // as many scores of each form
			if err := torch.turns(ctx); err != nil {
				return result, err
			}
		}
	}
	result = ScoreResult{
		Runs: c.Runs, First: milliseconds(quantile(first, 0.5)),
		P50: milliseconds(quantile(scores, 0.5)), P95: milliseconds(quantile(scores, 0.95)),
		BareP50: milliseconds(quantile(bares, 0.5)), BareP95: milliseconds(quantile(bares, 0.95)),
	}
	result.Ratio, result.RatioP95 = result.P50/result.BareP50, result.P95/result.BareP95
	result.Ours = Took{result.P50, milliseconds(slices.Min(scores)), milliseconds(slices.Max(scores))}
	result.Against, result.OverPyTorch = torch.against(result.Ours)
	return result, nil
}

// pictureFiles is an annotator.Blobs in which a file's path stands for its hash.
type pictureFiles struct{}

func (pictureFiles) Open(_ context.Context, path string) (io.ReadSeekCloser, error) {
	return os.Open(path)
}
