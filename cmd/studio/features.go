package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/abn-studio/studio/internal/features"
)

// featureFlags bound the features that are cached on disk, for every command that caches any.
type featureFlags struct {
	FeatureCacheMB int64 `name:"feature-cache-mb" env:"STUDIO_FEATURE_CACHE_MB" default:"${feature_cache_mb}" help:"Disk for features of frozen extractors, which are kept from scan to round and from run to run, in MiB. Beyond it the longest unused go."`
}

// defaultFeatureCacheMB is the flag's default.
const defaultFeatureCacheMB = features.DefaultBytes >> 20

// bytes is the bound.
func (f featureFlags) bytes() (int64, error) {
	if f.FeatureCacheMB < 1 {
		return 0, fmt.Errorf("--feature-cache-mb %d: want at least 1 MiB", f.FeatureCacheMB)
	}
	return f.FeatureCacheMB << 20, nil
}

// open opens the store of features in a folder, by default the user's cache folder.
func (f featureFlags) open(dir string) (*features.Store, error) {
	bytes, err := f.bytes()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no cache folder: %w: give one with --cache", err)
		}
		dir = filepath.Join(user, "abn-studio", "features")
	}
	return features.Open(dir, features.Options{MaxBytes: bytes})
}
