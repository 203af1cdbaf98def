package main

import (
	"path/filepath"
	"testing"
)

func TestFeatureCacheIsBounded(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "features")
	store, err := featureFlags{FeatureCacheMB: 3}.open(dir)
	if err != nil || store.Stats().MaxBytes != 3<<20 {
		t.Errorf("%v, %v", store, err)
	}
	for _, mb := range []int64{0, -1} {
		if _, err := (featureFlags{FeatureCacheMB: mb}).open(dir); err == nil {
			t.Errorf("%d MiB is taken", mb)
		}
	}
}
