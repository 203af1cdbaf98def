package study

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
)

// triedNetwork is a network to try.
type triedNetwork struct {
	name     string // as the table has it
	path     string
	identity string // SHA-256 over file and manifest
	model    *onnx.Model
	file     []byte // the model's file
	manifest manifest.Manifest
	opened   *network.Network // nil: it is a classifier, which workbench.attach gives an attention branch
}

// openNetworks reads the networks asked for, each once even if it is named twice.
func (c Subjects) openNetworks(ctx context.Context) (list []triedNetwork, err error) {
	if len(c.Networks) == 0 {
		n, err := demoNetwork(ctx)
		return []triedNetwork{n}, err
	}
	paths, err := c.files()
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		n, err := openTried(ctx, path)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(other triedNetwork) bool { return other.identity == n.identity }) {
			list = append(list, n)
		}
	}
	return list, nameApart(list)
}

// files are the ONNX files asked for.
func (c Subjects) files() (paths []string, err error) {
	for _, path := range c.Networks {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			paths = append(paths, path)
			continue
		}
		found, err := filepath.Glob(filepath.Join(path, "*.onnx"))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s holds no .onnx file", path)
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

// demoNetwork opens the demo's network.
func demoNetwork(ctx context.Context) (n triedNetwork, err error) {
	n.name = "demo"
	if n.file, n.manifest, err = aviary.Model(); err != nil {
		return n, err
	}
	if n.model, err = onnx.Read(ctx, n.file); err != nil {
		return n, err
	}
	return n, n.describe(ctx)
}

func openTried(ctx context.Context, path string) (n triedNetwork, err error) {
	n.path = path
	if n.model, n.file, err = onnx.Load(ctx, path); err != nil {
		return n, err
	}
	if n.manifest, err = manifest.Load(path, n.model.MetadataValue); err != nil {
		return n, err
	}
	return n, n.describe(ctx)
}

// describe fills in identity and opened.
func (n *triedNetwork) describe(ctx context.Context) error {
	manifest, err := json.Marshal(n.manifest)
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write(n.file)
	sum.Write(manifest)
	n.identity = hex.EncodeToString(sum.Sum(nil))
	if n.opened, err = network.Open(ctx, n.model, n.manifest); err != nil {
		n.opened = nil // a classifier, or what Attach refuses by name
	}
	return nil
}

// nameApart names networks by their files' names without .onnx. Networks that share a file name get as many of their folders before
// it as it takes to make the names differ.
func nameApart(list []triedNetwork) error {
	steps, deepest := make([][]string, len(list)), 0
	for i, n := range list {
		path, err := filepath.Abs(n.path)
		if err != nil {
			return err
		}
		steps[i] = strings.Split(filepath.ToSlash(strings.TrimSuffix(path, ".onnx")), "/")
		list[i].name, deepest = steps[i][len(steps[i])-1], max(deepest, len(steps[i]))
	}
	for depth := 2; depth <= deepest+1; depth++ {
		count := map[string]int{}
		for _, n := range list {
			count[n.name]++
		}
		if len(count) == len(list) {
			return nil
		}
		for i, n := range list {
			if count[n.name] < 2 {
				continue
			}
			list[i].name = strings.Join(steps[i][max(0, len(steps[i])-depth):], "/")
			if list[i].name == n.name { // x and x.onnx in one folder
				list[i].name = n.path
			}
		}
	}
	return nil
}
