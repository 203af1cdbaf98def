package enginetest

import (
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
)

// Split opens a network and returns its parts.
func Split(t testing.TB, m *onnx.Model) *onnx.ABN {
	t.Helper()
	opened, err := network.Open(t.Context(), m, manifest.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	return opened.ABN()
}

// Parts is Split in the parts that settings train (step.Parts, whose own tests use this package).
func Parts(t testing.TB, m *onnx.Model, s recipe.Settings) *onnx.ABN {
	t.Helper()
	abn := Split(t, m)
	if s.Strategy != recipe.StrategyAll {
		return abn
	}
	abn, err := abn.CutEarlier(t.Context(), int(s.Blocks))
	if err != nil {
		t.Fatal(err)
	}
	return abn
}

// Micro is an untrained network with a map of 5×5 and four classes.
func Micro(t testing.TB) *onnx.Model {
	t.Helper()
	a, err := architecture.Named("micro")
	if err != nil {
		t.Fatal(err)
	}
	a.ImageSize = 40
	m, err := a.Build(4, 11)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ReadModel reads a network from a file.
func ReadModel(t testing.TB, path string) *onnx.Model {
	t.Helper()
	m, err := onnx.ReadFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Families lists the published families as exported.
func Families(t testing.TB) []families.Family {
	t.Helper()
	list, err := families.List(filepath.Join(fixture.Root(), "onnx", "testdata", "families"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}
