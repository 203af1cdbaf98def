package inference

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/lru"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// LiveScorerOptions configures a LiveScorer. Zero fields have defaults.
type LiveScorerOptions struct {
	FeatureBytes int64       // bound of the feature cache; default 512 MiB
	Networks     int64       // how many models stay open; default 3
	Session      ort.Options // default: see NewLiveScorer
}

// LiveScorer computes a network's answer for an image with a person's map in place of its own, while they paint. Open networks
// are kept by model hash and features by extractor and image, so that a score takes one run of the perception branch; only the
// first score of an image runs the extractor. It implements annotator.Scorer, annotator.ActivationMapper and annotator.Likener and is safe for
// concurrent use.
type LiveScorer struct {
	opened       *network.Store
	blobs        annotator.Blobs
	options      LiveScorerOptions
	features     *features.Memory
	networks     *openCache[*Network]
	activations  *openCache[*activationMapper]
	likenesses   *openCache[*likener]
	descriptions *lru.Cache[describedImage, []float32]
}

var _ annotator.Scorer = (*LiveScorer)(nil)

// NewLiveScorer makes a scorer that reads images from blobs and gets networks from opened. By default its sessions use at most
// two threads: scores are short, several people ask at once, and the pages run on the same machine.
func NewLiveScorer(opened *network.Store, blobs annotator.Blobs, o LiveScorerOptions) *LiveScorer {
	if o.FeatureBytes == 0 {
		o.FeatureBytes = 512 << 20
	}
	if o.Networks == 0 {
		o.Networks = 3
	}
	if o.Session.IntraOpThreads == 0 {
		o.Session.IntraOpThreads = min(2, runtime.GOMAXPROCS(0))
	}
	return &LiveScorer{
		opened: opened, blobs: blobs, options: o, features: features.NewMemory(o.FeatureBytes),
		networks: newOpenCache[*Network](o.Networks), activations: newOpenCache[*activationMapper](activationGraphs),
		likenesses:   newOpenCache[*likener](likenessGraphs),
		descriptions: lru.New[describedImage](descriptionBytes, func(d []float32) int64 { return int64(4 * len(d)) }),
	}
}

// Score returns the K probabilities of the version's answer for image under map m. Errors:
// attention.ErrGrid or ErrValue for a bad map, *annotator.PictureError for a bad picture, or the context's cause.
func (s *LiveScorer) Score(ctx context.Context, version annotator.Version, image annotator.Image, m attention.Map) ([]float32, error) {
	probabilities, err := s.score(ctx, version, image, m)
	if errors.Is(err, ort.ErrClosed) && !s.networks.isClosed() { // evicted between being found and being run
		probabilities, err = s.score(ctx, version, image, m)
	}
	if err != nil {
		return nil, fmt.Errorf("scoring image %s with model %.12s: %w", image.Name, version.ModelHash, domainError(err))
	}
	return probabilities, nil
}

// domainError turns the runtime's error for a network that does not answer into the domain's.
func domainError(err error) error {
	if errors.Is(err, ort.ErrTooLong) {
		return fmt.Errorf("%w: %w", annotator.ErrTooLong, err)
	}
	var wrong *manifest.Error
	if errors.As(err, &wrong) || errors.Is(err, onnx.ErrLogits) {
		return &annotator.ValidationError{Field: "version", Message: fmt.Sprintf("the model cannot answer: %v", err)}
	}
	return err
}

func (s *LiveScorer) score(ctx context.Context, version annotator.Version, image annotator.Image, m attention.Map) ([]float32, error) {
	network, err := s.network(ctx, version)
	if err != nil {
		return nil, err
	}
	if err := m.ValidateOn(network.sizes.GridHeight, network.sizes.GridWidth); err != nil {
		return nil, err
	}
	features, err := s.featuresOf(ctx, network, version, image)
	if err != nil {
		return nil, err
	}
	answer, err := network.Perception(ctx, 1, features, m.Values)
	if err != nil {
		return nil, err
	}
	network.Probabilities(answer)
	return answer, nil
}

// Warm opens the network and computes the features of an image, so that its first score need not wait for them.
func (s *LiveScorer) Warm(ctx context.Context, version annotator.Version, image annotator.Image) error {
	network, err := s.network(ctx, version)
	if err == nil {
		_, err = s.featuresOf(ctx, network, version, image)
	}
	if err != nil {
		return fmt.Errorf("preparing image %s for model %.12s: %w", image.Name, version.ModelHash, domainError(err))
	}
	return nil
}

// Features is the memory of features, for its figures.
func (s *LiveScorer) Features() *features.Memory { return s.features }

// Session are the options of the scorer's sessions.
func (s *LiveScorer) Session() ort.Options { return s.options.Session }

// Close frees all networks. Scores after it fail with ort.ErrClosed.
func (s *LiveScorer) Close() error {
	return errors.Join(s.likenesses.close(), s.activations.close(), s.networks.close())
}

// networkKey is the key of a version's session: versions with equal keys share one.
func networkKey(version annotator.Version) string {
	return version.ModelHash + " " + string(version.Manifest)
}

// network returns the open network of a version, opening it if needed.
func (s *LiveScorer) network(ctx context.Context, version annotator.Version) (*Network, error) {
	return s.networks.get(ctx, networkKey(version), func(ctx context.Context) (*Network, error) { return s.openNetwork(ctx, version) })
}

func (s *LiveScorer) openNetwork(ctx context.Context, version annotator.Version) (*Network, error) {
	opened, err := s.opened.Open(ctx, version.ModelHash, version.Manifest)
	if err != nil {
		return nil, err
	}
	return NewNetwork(opened, NetworkOptions{Session: s.options.Session})
}

// featuresOf returns g(x) of an image, computed once even if several callers ask at the same time.
func (s *LiveScorer) featuresOf(ctx context.Context, network *Network, version annotator.Version, image annotator.Image) ([]float32, error) {
	origin := features.Origin{Extractor: version.ExtractorHash, Preprocessing: network.preprocessing}
	return s.features.Load(ctx, features.Key{Origin: origin, Image: image.Hash}, func(ctx context.Context) ([]float32, error) {
		pixels := make([]float32, network.Preprocessor.Size())
		if err := onPicture(ctx, s.blobs, image, func(file io.ReadSeeker) error {
			return network.Preprocessor.Pixels(ctx, file, pixels)
		}); err != nil {
			return nil, err
		}
		return network.Features(ctx, 1, pixels)
	})
}
