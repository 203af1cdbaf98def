package trainer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/abn-studio/studio/onnx"
)

// network is the parent of a round, taken apart.
type network struct {
	modelHash     string // SHA-256 of the file
	extractorHash string
	input         [3]int // 3, H, W
	features      [3]int // C, h, w
	classes       int    // K
	extractor     Extractor
	newEngine     func(ctx context.Context, s Settings) (Engine, error) // at the parent's parameters
	export        func(parameters []Parameter, metadata []onnx.Metadata) ([]byte, error)
	close         func()
}

// cells is h·w.
func (n *network) cells() int { return n.features[1] * n.features[2] }

func openNetwork(spec RoundSpec) (*network, error) {
	return nil, errors.New("no engine yet")
}

func hexHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
